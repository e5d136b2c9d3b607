"""The same network, batch, loss and AdamW in PyTorch: CPU and wall seconds, and the last loss.

flow.py BATCH STEPS THREADS SIZE SIZE ...
"""

import sys
import time

import torch

batch, steps, threads, *sizes = (int(word) for word in sys.argv[1:])
torch.set_num_threads(threads)


def numbers(index):
    place = (index.double() + 1.0) * 0.6180339887
    return (2.0 * (place - place.floor()) - 1.0).float()


layers = []
for n_in, n_out in zip(sizes[:-1], sizes[1:]):
    layer = torch.nn.Linear(n_in, n_out)
    with torch.no_grad():
        place = (torch.arange(n_in * n_out).double() + 1.0) * 0.6180339887
        weight = (2.0 * (place - place.floor()) - 1.0) * (3.0 / n_in) ** 0.5
        layer.weight.copy_(weight.float().reshape(n_out, n_in))
        layer.bias.zero_()
    layers += [layer, torch.nn.SELU()]
network = torch.nn.Sequential(*layers[:-1])
x = numbers(torch.arange(batch * sizes[0])).reshape(batch, sizes[0])
y = numbers(torch.arange(batch * sizes[-1]) * 7).reshape(batch, sizes[-1])
start_state = {name: value.clone() for name, value in network.state_dict().items()}


def run(n):
    network.load_state_dict(start_state)
    adam = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-5)
    for _ in range(n):
        adam.zero_grad(set_to_none=True)
        loss = ((network(x) - y) ** 2).mean()
        loss.backward()
        adam.step()
    return loss.item()


run(max(1, steps // 10))
cpu, wall = time.process_time(), time.perf_counter()
loss = run(steps)
print(time.process_time() - cpu, time.perf_counter() - wall, loss)
