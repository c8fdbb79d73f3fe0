"""The models whose norms are presets: how each is built from its public package, and what it is given.

Weights are never read: modules are made on the meta device, which computes shapes alone. ``parameters`` is the
published size, by which a wrong configuration shows.
"""

# ruff: noqa: PLC0415 (a package is imported by its own models alone, so that one can be recorded without the others)
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import standin
import torch
from calls import Call, record
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model, the type it is used with, and where its settings are published."""

    name: str
    title: str
    calls: Callable[[], tuple[Call, ...]]
    dtype: str
    source: str
    is_whole: bool
    """One forward pass makes all of the calls, so their sum means something."""


def _meta(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")


def _checked(model: nn.Module, parameters: int) -> nn.Module:
    found = sum(one.numel() for one in model.parameters())
    if found != parameters:
        raise ValueError(f"{type(model).__name__} has {found:,} parameters, not {parameters:,}: another configuration")
    return model.eval()


def sd15_unet() -> tuple[Call, ...]:
    """runwayml/stable-diffusion-v1-5, unet/config.json."""
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        model = _checked(UNet2DConditionModel(cross_attention_dim=768), 859_520_964)
    return record(lambda: model(_meta(2, 4, 64, 64), torch.ones((), device="meta"), _meta(2, 77, 768)))


def sdxl_unet() -> tuple[Call, ...]:
    """stabilityai/stable-diffusion-xl-base-1.0, unet/config.json."""
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        model = UNet2DConditionModel(
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2048,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        )
    _checked(model, 2_567_463_684)
    more = {"text_embeds": _meta(2, 1280), "time_ids": _meta(2, 6)}
    step = torch.ones((), device="meta")
    return record(lambda: model(_meta(2, 4, 128, 128), step, _meta(2, 77, 2048), added_cond_kwargs=more))


def _vae(parameters: int, latents: int, **settings: object) -> tuple[Call, ...]:
    from diffusers import AutoencoderKL

    with torch.device("meta"):
        model = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            latent_channels=latents,
            **settings,
        )
    _checked(model, parameters)
    return record(lambda: model.decode(_meta(1, latents, 128, 128)))


def sd_vae() -> tuple[Call, ...]:
    """stabilityai/sd-vae-ft-mse, config.json."""
    return _vae(83_653_863, 4)


def flux_vae() -> tuple[Call, ...]:
    """black-forest-labs/FLUX.1-dev, vae/config.json."""
    return _vae(83_819_683, 16, use_quant_conv=False, use_post_quant_conv=False)


def hunyuanvideo_vae() -> tuple[Call, ...]:
    """hunyuanvideo-community/HunyuanVideo, vae/config.json: diffusers' defaults."""
    from diffusers import AutoencoderKLHunyuanVideo

    with torch.device("meta"):
        model = AutoencoderKLHunyuanVideo().eval()
    model.use_framewise_decoding = False  # one tile is given, not cut into further ones
    return record(lambda: model.decode(_meta(1, 16, 5, 32, 32)))


def svd_unet() -> tuple[Call, ...]:
    """stabilityai/stable-video-diffusion-img2vid-xt, unet/config.json: diffusers' defaults."""
    from diffusers import UNetSpatioTemporalConditionModel

    with FakeTensorMode():
        model = UNetSpatioTemporalConditionModel(num_frames=25, num_attention_heads=(5, 10, 20, 20)).eval()
        given = (torch.empty(2, 25, 8, 72, 128), torch.ones(()), torch.empty(2, 1, 1024), torch.empty(2, 3))
        return record(lambda: model(*given))


def _timm(name: str, parameters: int, *shape: int, **settings: object) -> tuple[Call, ...]:
    standin.install()
    import timm

    with torch.device("meta"):
        model = _checked(timm.create_model(name, **settings), parameters)
    return record(lambda: model(_meta(*shape)))


def resnet50_gn() -> tuple[Call, ...]:
    """timm, resnet50_gn."""
    return _timm("resnet50_gn", 25_557_032, 32, 3, 224, 224)


def bit_resnet50() -> tuple[Call, ...]:
    """timm, resnetv2_50x1_bit."""
    return _timm("resnetv2_50x1_bit", 25_549_352, 32, 3, 224, 224)


def efficientnet_b3_gn() -> tuple[Call, ...]:
    """timm, efficientnet_b3_gn."""
    return _timm("efficientnet_b3_gn", 11_733_784, 32, 3, 288, 288)


def mask_rcnn_gn() -> tuple[Call, ...]:
    """detectron2, configs/Misc/mask_rcnn_R_50_FPN_3x_gn.yaml: its backbone is built, its FPN and heads by hand.

    Neither the RPN nor the mask head's deconvolution has a norm. Boxes and masks are as many as the settings allow.
    """
    backbone = _timm("resnet50_gn", 25_557_032, 1, 3, 800, 1344)
    levels = [(200, 336), (100, 168), (50, 84), (25, 42)]
    fpn = [_plain(1, 256, *level, 32, follows="conv2d") for level in levels for _ in ("lateral", "output")]
    heads = [_plain(1000, 256, 7, 7, 32, follows="relu")] * 4 + [_plain(100, 256, 14, 14, 32, follows="relu")] * 4
    return (*backbone, *fpn, *heads)


def deformable_detr() -> tuple[Call, ...]:
    """SenseTime/deformable-detr, config.json: transformers' defaults, its ResNet-50 from the same package."""
    from transformers import DeformableDetrConfig, DeformableDetrModel, ResNetConfig

    backbone = ResNetConfig(out_features=["stage2", "stage3", "stage4"])
    settings = DeformableDetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=backbone
    )
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = DeformableDetrModel(settings).eval()
        return record(lambda: model(torch.empty(1, 3, 800, 1066)))


def segresnet() -> tuple[Call, ...]:
    """MONAI, SegResNet with the settings of its BraTS tutorial."""
    from monai.networks.nets import SegResNet

    with torch.device("meta"):
        model = SegResNet(
            blocks_down=[1, 2, 2, 4],
            blocks_up=[1, 1, 1],
            init_filters=16,
            in_channels=4,
            out_channels=3,
            dropout_prob=0.2,
        ).eval()
    return record(lambda: model(_meta(1, 4, 128, 128, 128)))


def unet3d() -> tuple[Call, ...]:
    """pytorch-3dunet, UNet3D of 32 feature maps and three levels, its README's patch of 80 x 170 x 170."""
    from pytorch3dunet.unet3d.model import UNet3D

    with torch.device("meta"):
        model = UNet3D(in_channels=1, out_channels=1, f_maps=32, num_levels=4).eval()
    return record(lambda: model(_meta(1, 1, 80, 170, 170)))


def wav2vec2() -> tuple[Call, ...]:
    """facebook/wav2vec2-base, config.json: transformers' defaults."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    with torch.device("meta"):
        model = Wav2Vec2Model(Wav2Vec2Config()).eval()
    return record(lambda: model.feature_extractor(_meta(1, 160_000)))


def encodec() -> tuple[Call, ...]:
    """facebook/encodec_48khz, config.json.

    On the CPU: its padding asks tensors for values.
    """
    from transformers import EncodecConfig, EncodecModel

    settings = EncodecConfig(
        target_bandwidths=[3.0, 6.0, 12.0, 24.0],
        sampling_rate=48_000,
        audio_channels=2,
        normalize=True,
        chunk_length_s=1.0,
        overlap=0.01,
        norm_type="time_group_norm",
        use_causal_conv=False,
    )
    model = EncodecModel(settings).eval()
    # The whole model would take a second as two chunks, the second nearly empty.
    return record(lambda: model.decoder(model.encoder(torch.randn(1, 2, 48_000))))


def rwkv7() -> tuple[Call, ...]:
    """BlinkDL/RWKV-LM, RWKV-v7: ln_x of each of 24 layers, 32 heads of 64, eps 64e-5."""
    return (_plain(4096, 2048, 1, 1, 32, eps=64e-5, follows="add"),) * 24


def kernelbench35() -> tuple[Call, ...]:
    """ScalingIntelligence/KernelBench, level 1, 35_GroupNorm_: at first, and since 2025-07-02."""
    return _plain(16, 64, 256, 256, 8), _plain(112, 64, 512, 512, 8)


def tutorial() -> tuple[Call, ...]:
    """PyTorch tutorial on group normalization: its network's two convolutions, each normalized, then a ReLU."""
    return _plain(64, 32, 28, 28, 4, follows="relu"), _plain(64, 64, 14, 14, 4, follows="relu")


def _plain(N: int, C: int, H: int, W: int, G: int, *, eps: float = 1e-5, follows: str = "nothing") -> Call:
    return Call(N=N, C=C, H=H, W=W, G=G, eps=eps, layout="contiguous", follows=follows)


def _model(
    calls: Callable[[], tuple[Call, ...]], title: str, dtype: str = "float32", *, is_whole: bool = True
) -> Model:
    source = " ".join((calls.__doc__ or "").split("\n\n")[0].split()).rstrip(".")
    return Model(name=calls.__name__, title=title, calls=calls, dtype=dtype, source=source, is_whole=is_whole)


MODELS = (
    _model(sd15_unet, "Stable Diffusion 1.5 UNet, 512 px, batch 2", "float16"),
    _model(sdxl_unet, "SDXL UNet, 1024 px, batch 2", "float16"),
    _model(sd_vae, "Stable Diffusion VAE, decoding to 1024 px"),
    _model(flux_vae, "FLUX.1 VAE, decoding to 1024 px", "bfloat16"),
    _model(hunyuanvideo_vae, "HunyuanVideo VAE, decoding one tile to 17 x 256 x 256", "bfloat16"),
    _model(svd_unet, "Stable Video Diffusion XT UNet, 25 frames of 576 x 1024, batch 2", "float16"),
    _model(resnet50_gn, "ResNet-50-GN, 224 px, batch 32"),
    _model(bit_resnet50, "BiT ResNet-50x1, 224 px, batch 32"),
    _model(efficientnet_b3_gn, "EfficientNet-B3-GN, 288 px, batch 32"),
    _model(mask_rcnn_gn, "Mask R-CNN R50-FPN GN, one image of 800 x 1344"),
    _model(deformable_detr, "Deformable DETR R50, one image of 800 x 1066"),
    _model(segresnet, "SegResNet, 128 x 128 x 128 voxels"),
    _model(unet3d, "3D U-Net, 80 x 170 x 170 voxels"),
    _model(wav2vec2, "wav2vec 2.0 base, 10 s at 16 kHz"),
    _model(encodec, "EnCodec 48 kHz, 1 s, encoding and decoding"),
    _model(rwkv7, "RWKV-7 1.5B, 4,096 tokens", "bfloat16"),
    _model(kernelbench35, "KernelBench level 1, problem 35, both versions", is_whole=False),
    _model(tutorial, "the tutorial's MNIST network, batch 64"),
)
