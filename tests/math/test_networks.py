"""Shapes, parameter counts, gradients, independence; kernels against slow formulations."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from twocet.errors import UserError
from twocet.networks import layers
from twocet.networks.build import build
from twocet.networks.config import NetworkConfig
from twocet.networks.edit import Edit, compose, render, warp
from twocet.networks.interfaces import Domain, Networks, judge

TINY = {
    "paper": NetworkConfig(preset="paper", size=32, code_dim=5, first_width=4, max_width=8),
    "fast": NetworkConfig(preset="fast", size=32, code_dim=5, generator_widths=(6, 8), trunk_widths=(4, 8)),
}
PRESETS = sorted(TINY)


def tiny(preset: str, **changes: object) -> Networks:
    """Tiny networks whose zero-initialised heads have been given weights."""
    torch.manual_seed(0)
    networks = build(NetworkConfig(**{**vars(TINY[preset]), **changes}))
    for module in networks.generator.modules():
        if isinstance(module, nn.Conv2d) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.1)
    return networks


def faces(num: int, size: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(num, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def random_features(channels: int, side: int) -> Tensor:
    features = torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return features.requires_grad_()


def double_conv(num_in: int, num_out: int) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(num_in, num_out, 3, padding=1).double()


def same_to_second_order(
    one: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor], conv: nn.Conv2d, features: Tensor
) -> None:
    """Values, gradients, and gradients of the gradient's length as in R1, all in float64."""
    found = []
    for function in (one, other):
        result = function(features)
        (slope,) = torch.autograd.grad(result.pow(3).mean(), features, create_graph=True)
        second = torch.autograd.grad(slope.square().sum() + result.sum(), [features, conv.weight, conv.bias])
        found.append((result, slope, *second))
    for mine, theirs in zip(*found, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-10, atol=1e-12)


def some_codes(num: int, dim: int = 5) -> Tensor:
    return torch.randn(num, dim, generator=torch.Generator().manual_seed(1))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_paper_has_the_published_numbers_of_parameters() -> None:
    with torch.device("meta"):
        networks = build(NetworkConfig(preset="paper"))
    assert [count(network) for network in networks] == [33_361_667, 20_748_192, 20_735_106]


def test_fast_is_small() -> None:
    with torch.device("meta"):
        networks = build(NetworkConfig())
    assert count(networks.generator) < 5_000_000


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("num", [1, 3])
def test_shapes_and_types(preset: str, size: int, num: int) -> None:
    networks = tiny(preset, size=size)
    image = faces(num, size)
    code = networks.encoder(image)
    assert code.shape == (num, 5)
    output = networks.generator(image, code)
    assert output.shape == image.shape
    edit = networks.generator.edit(image, code)
    assert [tuple(field.shape[:2]) for field in edit] == [(num, 2), (num, 1), (num, 3)]
    assert networks.discriminator(image).shape == (num, 2)
    assert {t.dtype for t in (code, output, *edit, networks.discriminator(image))} == {torch.float32}


@pytest.mark.parametrize("preset", PRESETS)
def test_outputs_are_float32_and_close_under_bfloat16(preset: str) -> None:
    networks = tiny(preset)
    # Smooth, so that a small error in the flow shows as a small error in the image.
    image, code = functional.interpolate(faces(2, 4), size=(32, 32), mode="bilinear"), some_codes(2)
    exact = networks.generator(image, code)
    with torch.autocast("cpu", torch.bfloat16):
        output, read, logit = networks.generator(image, code), networks.encoder(image), networks.discriminator(image)
    assert output.dtype == read.dtype == logit.dtype == torch.float32
    assert (output - exact).abs().mean() < 0.03 * exact.abs().mean()


@pytest.mark.parametrize("preset", PRESETS)
def test_edit_composes_to_the_output(preset: str) -> None:
    networks = tiny(preset)
    image, code = faces(2), some_codes(2)
    assert torch.allclose(compose(image, networks.generator.edit(image, code)), networks.generator(image, code))


def test_once_trained_the_output_has_natural_colours() -> None:
    generator = tiny("fast").generator.eval()
    image, code = faces(2), 5 * some_codes(2)
    edit = generator.edit(image, code)
    assert torch.allclose(render(image, edit), generator(image, code))
    assert (render(image, edit) - compose(image, edit)).abs().max() > 0.01


@pytest.mark.parametrize("preset", PRESETS)
def test_every_parameter_gets_a_gradient(preset: str) -> None:
    generator, encoder, discriminator = tiny(preset)
    code = encoder(faces(2, seed=5))
    total = (discriminator(generator(faces(2), code)) * torch.tensor([1.0, -2.0])).sum()
    if preset == "fast":
        total = total + (encoder.sketch(code) * torch.linspace(-1, 1, 256).view(1, 1, 16, 16)).sum()
    total.backward()
    for network in (generator, encoder, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            # A bias before an instance norm is taken out again; only its gradient may vanish.
            assert parameter.grad.abs().sum() > 0 or name.endswith("bias"), name


@pytest.mark.parametrize("preset", PRESETS)
def test_evaluation_is_deterministic_and_rows_are_independent(preset: str) -> None:
    networks = tiny(preset)
    image, code = faces(4), some_codes(4)
    with torch.no_grad():
        together = networks.generator(image, code)
        assert torch.equal(together, networks.generator(image, code))
        for row in range(4):
            one = slice(row, row + 1)
            assert torch.allclose(networks.generator(image[one], code[one]), together[one], atol=1e-5)
            assert torch.allclose(networks.encoder(image[one]), networks.encoder(image)[one], atol=1e-5)
            assert torch.allclose(networks.discriminator(image[one]), networks.discriminator(image)[one], atol=1e-5)


@pytest.mark.parametrize("preset", PRESETS)
def test_code_and_image_both_matter(preset: str) -> None:
    networks = tiny(preset)
    image, code = faces(1), some_codes(1)
    output = networks.generator(image, code)
    assert (networks.generator(image, -code) - output).abs().max() > 1e-3
    assert (networks.generator(-image, code) - output).abs().max() > 1e-3


@pytest.mark.parametrize("preset", PRESETS)
def test_grey_encoder_ignores_colour_and_the_other_does_not(preset: str) -> None:
    image = faces(1)
    swapped = image.flip(1)
    for grey in (True, False):
        encoder = tiny(preset, grey=grey).encoder
        assert torch.allclose(encoder(image), encoder(swapped), atol=1e-5) is grey


def test_fast_training_starts_close_to_the_identity() -> None:
    generator = build(TINY["fast"]).generator
    image = faces(2)
    edit = generator.edit(image, some_codes(2))
    assert not edit.flow.any()
    assert edit.mask.max() < 0.15
    assert (generator(image, some_codes(2)) - image).abs().max() < 0.15


def test_judge_reads_the_column_of_the_domain() -> None:
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    image = faces(3, 2)
    logits = discriminator(image)
    assert torch.equal(judge(discriminator, image, Domain.NEUTRAL), logits[:, 0])
    assert torch.equal(judge(discriminator, image, Domain.EXPRESSIVE), logits[:, 1])


@pytest.mark.parametrize(
    "wrong", [{"size": 100}, {"size": 16}, {"code_dim": 0}, {"shuffle": 3}, {"shuffle": 64}, {"preset": "slow"}]
)
def test_impossible_networks_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError):
        NetworkConfig(**{"size": 128, **wrong})


class TestLayers:
    def test_adain_equals_the_slow_formulation(self) -> None:
        torch.manual_seed(0)
        features, code = torch.randn(3, 4, 5, 6) * 3 + 1, torch.randn(3, 7)
        module = layers.AdaIN(4, 7)
        result = module(features, code)
        numbers = code @ module.affine.weight.T + module.affine.bias
        for n in range(3):
            for c in range(4):
                plane = features[n, c]
                variance = ((plane - plane.mean()) ** 2).mean()
                normed = (plane - plane.mean()) / (variance + 1e-5).sqrt()
                expected = (1 + numbers[n, c]) * normed + numbers[n, 4 + c]
                assert torch.allclose(result[n, c], expected, atol=1e-5)

    def test_instance_norm_equals_torchs(self) -> None:
        features = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 + 1
        assert torch.allclose(layers.instance_norm(3)(features), nn.InstanceNorm2d(3)(features), atol=1e-5)

    def test_residual_block_equals_the_slow_formulation(self) -> None:
        torch.manual_seed(0)
        block = layers.ResidualBlock(3, 5, layers.instance_norm, halves=True)
        features = torch.randn(2, 3, 8, 8)

        def slow(x: Tensor) -> Tensor:
            residual = functional.conv2d(
                functional.leaky_relu(functional.instance_norm(x), 0.2), block.conv1.weight, block.conv1.bias, padding=1
            )
            residual = functional.avg_pool2d(residual, 2)
            residual = functional.leaky_relu(functional.instance_norm(residual), 0.2)
            residual = functional.conv2d(residual, block.conv2.weight, block.conv2.bias, padding=1)
            # In the published order: the shortcut's convolution first, then the pooling.
            shortcut = functional.avg_pool2d(functional.conv2d(x, block.shortcut.weight), 2)
            return (shortcut + residual) / 2**0.5

        assert torch.allclose(block(features), slow(features), atol=1e-5)

    def test_adain_block_equals_the_slow_formulation(self) -> None:
        torch.manual_seed(0)
        block = layers.AdaINBlock(5, 3, 4, doubles=True)
        features, code = torch.randn(2, 5, 4, 4), torch.randn(2, 4)
        residual = functional.interpolate(functional.leaky_relu(block.norm1(features, code), 0.2), scale_factor=2)
        residual = block.conv2(functional.leaky_relu(block.norm2(block.conv1(residual), code), 0.2))
        shortcut = block.shortcut(functional.interpolate(features, scale_factor=2))
        assert torch.allclose(block(features, code), (shortcut + residual) / 2**0.5, atol=1e-5)

    @pytest.mark.parametrize("side", [layers.FUSED_FROM, layers.FUSED_FROM // 2])
    def test_fused_halving_is_the_same_function(self, side: int) -> None:
        conv, features = double_conv(3, 5), random_features(3, side)
        same_to_second_order(
            lambda x: layers.convolve_then_halve(x, conv), lambda x: functional.avg_pool2d(conv(x), 2), conv, features
        )

    @pytest.mark.parametrize("side", [layers.FUSED_FROM // 2, layers.FUSED_FROM // 4])
    def test_fused_doubling_is_the_same_function(self, side: int) -> None:
        conv, features = double_conv(3, 5), random_features(3, side)
        same_to_second_order(
            lambda x: layers.double_then_convolve(x, conv),
            lambda x: conv(x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)),
            conv,
            features,
        )

    def test_large_maps_are_resized_in_the_convolution(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither a full-sized map to halve nor a doubled one is made."""
        seen: list[int] = []
        monkeypatch.setattr(layers, "halve", lambda x: seen.append(x.shape[-1]))
        monkeypatch.setattr(layers, "double", lambda x: seen.append(x.shape[-1]))
        conv = nn.Conv2d(3, 3, 3, padding=1)
        layers.convolve_then_halve(torch.zeros(1, 3, layers.FUSED_FROM, layers.FUSED_FROM), conv)
        layers.double_then_convolve(torch.zeros(1, 3, layers.FUSED_FROM // 2, layers.FUSED_FROM // 2), conv)
        assert seen == []

    @pytest.mark.parametrize("norm", [layers.instance_norm, layers.no_norm])
    def test_blocks_leave_what_they_are_given(self, norm: Callable[[int], nn.Module]) -> None:
        features = random_features(3, 8)
        kept = features.clone()
        layers.ResidualBlock(3, 5, norm, halves=True).double()(features)
        layers.AdaINBlock(3, 5, 4, doubles=True).double()(features, torch.zeros(2, 4).double())
        assert torch.equal(features, kept)

    def test_he_init_keeps_the_scale(self) -> None:
        torch.manual_seed(0)
        network = nn.Sequential(*(m for _ in range(6) for m in (nn.Linear(256, 256), nn.LeakyReLU(0.2))))
        before = copy.deepcopy(network)
        layers.he_init(network)
        signal = torch.randn(512, 256)
        assert 0.5 < network(signal).std() / signal.std() < 2
        assert before(signal).std() < 0.1
        assert not network[0].bias.any()


class TestEdit:
    def test_nothing_to_do_changes_nothing(self) -> None:
        image = faces(2, 48)
        edit = Edit(torch.zeros(2, 2, 8, 8), torch.zeros(2, 1, 8, 8), torch.ones(2, 3, 8, 8))
        assert torch.allclose(compose(image, edit), image, atol=1e-5)

    def test_full_mask_shows_the_colour(self) -> None:
        colour = torch.full((1, 3, 4, 4), -0.3)
        edit = Edit(torch.zeros(1, 2, 4, 4), torch.ones(1, 1, 4, 4), colour)
        assert torch.allclose(compose(faces(1), edit), torch.full((1, 3, 32, 32), -0.3))

    def test_flow_is_where_to_look_in_units_of_the_side(self) -> None:
        image = faces(1, 32)
        flow = torch.zeros(1, 2, 32, 32)
        flow[:, 0], flow[:, 1] = 2 / 32, -3 / 32
        shown = warp(image, flow)
        assert torch.allclose(shown[..., 3:, :-2], image[..., :-3, 2:], atol=1e-5)

    def test_same_edit_at_two_sizes(self) -> None:
        small = torch.zeros(1, 2, 8, 8)
        small[:, 0] = 0.25
        edit = Edit(small, torch.zeros(1, 1, 8, 8), torch.zeros(1, 3, 8, 8))
        ramp = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
        assert torch.allclose(compose(ramp, edit)[..., :48], ramp[..., 16:], atol=1e-5)
