"""A small network trained by PyTorch: parameters after 50 steps of AdamW, in double precision.

python3 network.py > network.csv     (torch 2.x, CPU)

Layers 3 → 5 → 4 → 2 with SELU between them; weights, inputs and targets are numbers of an additive
recurrence that the test makes again. One line for each step: the loss before it; then one line for
each parameter, layer by layer, weights (one row for each output) before biases.
"""

import sys

import torch

SIZES = [3, 5, 4, 2]
N_ROWS = 6


def numbers(n, factor):
    place = (torch.arange(n).double() * factor + 1.0) * 0.6180339887
    return 2.0 * (place - place.floor()) - 1.0


layers = []
for n_in, n_out in zip(SIZES[:-1], SIZES[1:]):
    layer = torch.nn.Linear(n_in, n_out, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(numbers(n_in * n_out, 1).reshape(n_out, n_in))
        layer.bias.copy_(0.1 * numbers(n_out, 3))
    layers += [layer, torch.nn.SELU()]
network = torch.nn.Sequential(*layers[:-1])
x = numbers(N_ROWS * SIZES[0], 5).reshape(N_ROWS, SIZES[0])
y = numbers(N_ROWS * SIZES[-1], 7).reshape(N_ROWS, SIZES[-1])
adam = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=0.1)
print("kind,value")
for _ in range(50):
    adam.zero_grad()
    loss = ((network(x) - y) ** 2).mean()
    loss.backward()
    adam.step()
    print(f"loss,{loss.item():.12g}")
for parameter in network.parameters():
    for value in parameter.detach().reshape(-1).tolist():
        print(f"parameter,{value:.12g}")
print(f"torch {torch.__version__}", file=sys.stderr)
