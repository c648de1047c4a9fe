"""The networks of benches/models.ts in PyTorch."""
import torch
from torch import nn


def mlp():
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


def lenet():
    features = [nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    classifier = [nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return nn.Sequential(*features, nn.Flatten(), *classifier)


def conv_bn(inputs, outputs, kernel, stride=1, padding=0):
    return [nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm2d(outputs)]


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity, or beside a 1x1 convolution where shapes change."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(
            *conv_bn(inputs, outputs, 3, stride, 1), nn.ReLU(inplace=True), *conv_bn(outputs, outputs, 3, 1, 1))
        plain = stride == 1 and inputs == outputs
        self.beside = nn.Identity() if plain else nn.Sequential(*conv_bn(inputs, outputs, 1, stride))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.body(x)
        y += self.beside(x)
        return self.relu(y)


def residual_stages(widths):
    blocks = []
    for i, width in enumerate(widths):
        blocks += [Residual(widths[max(0, i - 1)], width, 1 if i == 0 else 2), Residual(width, width, 1)]
    return blocks


def small_resnet():
    return nn.Sequential(
        *conv_bn(1, 16, 3, 1, 1), nn.ReLU(inplace=True), *residual_stages([16, 32, 64]),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def resnet18():
    return nn.Sequential(
        *conv_bn(3, 64, 7, 2, 3), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1), *residual_stages([64, 128, 256, 512]),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


class UNet(nn.Module):
    """Levels of 16, 32 and 64 maps; upwards by transposed convolutions of 2x2."""

    def __init__(self):
        super().__init__()

        def twice(a, b):
            return nn.Sequential(*conv_bn(a, b, 3, 1, 1), nn.ReLU(inplace=True), *conv_bn(b, b, 3, 1, 1), nn.ReLU(inplace=True))

        self.down1, self.down2, self.bottom = twice(3, 16), twice(16, 32), twice(32, 64)
        self.up2, self.join2 = nn.ConvTranspose2d(64, 32, 2, 2), twice(64, 32)
        self.up1, self.join1 = nn.ConvTranspose2d(32, 16, 2, 2), twice(32, 16)
        self.head, self.halve = nn.Conv2d(16, 2, 1), nn.MaxPool2d(2)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(self.halve(a))
        d = self.join2(torch.cat([self.up2(self.bottom(self.halve(b))), b], 1))
        return self.head(self.join1(torch.cat([self.up1(d), a], 1)))


MODELS = {"mlp": mlp, "lenet": lenet, "small-resnet": small_resnet, "resnet18": resnet18, "unet16": UNet}
