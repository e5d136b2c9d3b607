"""LightSB and `[SF]²M` in PyTorch: the published recipes, written anew. theirs.py imports this.

LightSB: Korotin, Gushchin, Burnaev 2024 (arXiv 2310.01174). `[SF]²M`: Tong et al. 2024 (arXiv
2307.03672) by the authors' package torchcfm.
"""

import time

import numpy as np
import torch
from judge import objective

BATCH = 128
# Steps between two looks at the other cells, for which the clock stands still.
LOOK = 50


def version(name=None):
    from importlib.metadata import version as of

    torch_version = "PyTorch " + torch.__version__.split("+")[0]
    return f"{name} {of(name)}, {torch_version}" if name else torch_version


class LightSb(torch.nn.Module):
    """K random target cells as centres, S = 0.1 I, equal weights; ε ln α and ln S as parameters."""

    def __init__(self, centres, epsilon):
        super().__init__()
        k = len(centres)
        self.epsilon = epsilon
        self.r = torch.nn.Parameter(centres.clone())
        self.log_s = torch.nn.Parameter(torch.full_like(centres, float(np.log(0.1))))
        self.scaled = torch.nn.Parameter(torch.full((k,), epsilon * float(np.log(1 / k))))

    def forward(self, x, y):
        s, log_alpha = self.log_s.exp(), self.scaled / self.epsilon
        log_c = ((x * x) @ s.T + 2 * x @ self.r.T) / (2 * self.epsilon) + log_alpha
        inverse = 1 / (self.epsilon * s)
        constant = log_alpha + 0.5 * ((inverse / (2 * np.pi)).log() - self.r**2 * inverse).sum(1)
        log_v = y @ (self.r * inverse).T - 0.5 * (y * y) @ inverse.T + constant
        return log_c.logsumexp(1).mean() - log_v.logsumexp(1).mean()

    def mixture(self):
        parts = (self.scaled / self.epsilon, self.r, self.log_s.exp())
        return tuple(part.detach().double().numpy() for part in parts)


def lightsb(case):
    """Adam with rate 1e-2 on batches of 128, until the other cells say what they say of ours."""
    torch.set_num_threads(case.threads)
    source, target = (torch.tensor(case.array(name)).float() for name in ("source", "target"))
    test = case.array("source_test"), case.array("target_test")
    epsilon, goal = case["epsilon"], case.numbers.get("goal", -np.inf)

    def start():
        torch.manual_seed(0)
        cells = torch.randperm(len(target))[: case["n_gaussians"]]
        model = LightSb(target[cells], epsilon)
        return model, torch.optim.Adam(model.parameters(), lr=1e-2)

    def train(model, adam, n_steps):
        for _ in range(n_steps):
            x = source[torch.randint(len(source), (BATCH,))]
            y = target[torch.randint(len(target), (BATCH,))]
            adam.zero_grad(set_to_none=True)
            model(x, y).backward()
            adam.step()

    train(*start(), 20)
    model, adam = start()
    best, steps = np.inf, 0
    while steps < case["n_steps"]:
        with case:
            train(model, adam, LOOK)
        steps += LOOK
        now = objective(model.mixture(), *test, epsilon)
        best = min(best, now)
        if now <= goal:
            break
    log_alpha, r, s = model.mixture()
    zero = np.zeros(r.shape[1])
    case.write(log_alpha=log_alpha, r=r, s=s, source_mean=zero, target_mean=zero)
    return version() + " Adam", "f32", {"iterations": steps, "best": float(best)}


def network(dim):
    """Three hidden layers of 64, SELU: the default of both."""
    sizes, layers = [dim + 1, 64, 64, 64, dim], []
    for n_in, n_out in zip(sizes[:-1], sizes[1:]):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.SELU()]
    return torch.nn.Sequential(*layers[:-1])


def sf2m(case):
    """Pairs by exact transport within each batch, torchcfm's default for this matcher."""
    from torchcfm.conditional_flow_matching import SchrodingerBridgeConditionalFlowMatcher

    torch.set_num_threads(case.threads)
    source, target = (torch.tensor(case.array(name)).float() for name in ("source", "target"))
    sigma, batch, dim = float(np.sqrt(case["epsilon"])), case["batch"], source.shape[1]
    matcher = SchrodingerBridgeConditionalFlowMatcher(sigma=sigma)

    def train(n_steps):
        torch.manual_seed(0)
        np.random.seed(0)
        flow, score = network(dim), network(dim)
        adam = torch.optim.AdamW([*flow.parameters(), *score.parameters()], lr=1e-3, weight_decay=1e-5)
        losses, pairing = [], 0.0
        for _ in range(n_steps):
            x0 = source[torch.randint(len(source), (batch,))]
            x1 = target[torch.randint(len(target), (batch,))]
            before = time.perf_counter()
            t, xt, ut, noise = matcher.sample_location_and_conditional_flow(x0, x1, return_noise=True)
            pairing += time.perf_counter() - before
            at = torch.cat([xt, t[:, None]], dim=1)
            weight = matcher.compute_lambda(t)[:, None]
            flow_loss = ((flow(at) - ut) ** 2).mean()
            score_loss = ((weight * score(at) + noise) ** 2).mean()
            adam.zero_grad(set_to_none=True)
            (flow_loss + score_loss).backward()
            adam.step()
            losses.append((flow_loss.detach(), score_loss.detach()))
        last = torch.tensor(losses[-max(1, n_steps // 50) :]).mean(0)
        return flow, score, [float(value) for value in last], pairing

    train(10)
    with case:
        flow, score, losses, pairing = train(case["n_steps"])
    cells, n = torch.tensor(case.array("source_test")).float(), case["n_draw_steps"]
    with torch.no_grad():
        # In its weighting the score network gives ½σ² times the score.
        for step in range(n):
            at = torch.cat([cells, torch.full((len(cells), 1), step / n)], dim=1)
            cells = cells + (flow(at) + score(at)) / n + sigma * torch.randn_like(cells) / n**0.5
    case.write(pushed=cells.numpy())
    said = {"flow_loss": losses[0], "score_loss": losses[1], "pairing_share": pairing / case.wall}
    return version("torchcfm"), "f32", said
