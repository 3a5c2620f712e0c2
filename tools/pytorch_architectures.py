"""Exports architectures with random weights by torch.export, with one input and PyTorch's outputs, for bench/pytorch.mjs.

Run: python tools/pytorch_architectures.py FOLDER [NAME ...]; without names all of them. Needs torch, torchvision, timm and transformers. Batch norms
get random statistics, so that folding them is seen. What cannot be exported is printed.
"""
import sys, time, warnings
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision.models as tv
from torch import nn

from pytorch_nets import image, nets

warnings.filterwarnings("ignore")


def torchvision_models():
    from torchvision.models.convnext import CNBlockConfig
    from torchvision.models.resnet import Bottleneck, ResNet
    plain = "alexnet mobilenet_v2 mobilenet_v3_small mobilenet_v3_large shufflenet_v2_x0_5 squeezenet1_0 squeezenet1_1 mnasnet0_5 efficientnet_b0 regnet_x_400mf regnet_y_400mf resnet18 densenet121".split()
    plain.remove("alexnet")  # 60 million weights in three products
    made = {name: (lambda name=name: getattr(tv, name)(weights=None), image) for name in plain}
    backbone = lambda: ResNet(Bottleneck, [1, 1, 1, 1], replace_stride_with_dilation=[False, True, True])

    def segmentation(head):
        from torchvision.models._utils import IntermediateLayerGetter
        return lambda: head(IntermediateLayerGetter(backbone(), {"layer4": "out"}))

    return made | {
        "resnet50_narrow": (lambda: ResNet(Bottleneck, [1, 1, 1, 1]), image),
        "resnext": (lambda: ResNet(Bottleneck, [1, 1, 1, 1], groups=8, width_per_group=8), image),
        "wide_resnet": (lambda: ResNet(Bottleneck, [1, 1, 1, 1], width_per_group=128), image),
        "vgg": (lambda: nn.Sequential(tv.vgg.make_layers([8, "M", 16, "M", 24, 24, "M"], True), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(96, 10)), image),
        "googlenet": (lambda: tv.googlenet(weights=None, aux_logits=False, init_weights=False), image),
        "inception_v3": (lambda: tv.inception_v3(weights=None, aux_logits=False, init_weights=False), lambda: image(96)),
        "efficientnet_v2": (lambda: tv.EfficientNet([tv.efficientnet.FusedMBConvConfig(1, 3, 1, 24, 24, 1), tv.efficientnet.FusedMBConvConfig(4, 3, 2, 24, 32, 1), tv.efficientnet.MBConvConfig(4, 3, 2, 32, 48, 2)], 0.1, last_channel=96, num_classes=10), image),
        "convnext": (lambda: tv.ConvNeXt([CNBlockConfig(16, 32, 1), CNBlockConfig(32, 48, 1), CNBlockConfig(48, None, 2)], num_classes=10), image),
        "vision_transformer": (lambda: tv.VisionTransformer(64, 16, 2, 4, 32, 64, num_classes=10), image),
        "swin": (lambda: tv.SwinTransformer([4, 4], 24, [2, 2], [3, 6], [4, 4], num_classes=10), image),
        "swin_v2": (lambda: tv.SwinTransformer([4, 4], 24, [2, 2], [3, 6], [4, 4], num_classes=10, block=tv.swin_transformer.SwinTransformerBlockV2, downsample_layer=tv.swin_transformer.PatchMergingV2), image),
        "maxvit": (lambda: tv.MaxVit((64, 64), 16, 4, [16, 32], [1, 1], 8, 0.1, num_classes=10), image),
        "lraspp_mobilenet_v3_large": (lambda: tv.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None), image),
        "deeplabv3_mobilenet_v3_large": (lambda: tv.segmentation.deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None), image),
        "fcn": (segmentation(lambda body: tv.segmentation.FCN(body, tv.segmentation.fcn.FCNHead(2048, 5))), image),
        "deeplabv3": (segmentation(lambda body: tv.segmentation.DeepLabV3(body, tv.segmentation.deeplabv3.DeepLabHead(2048, 5))), image),
    }


def timm_models():
    """By name: the lengths of the image, and what makes the model narrower."""
    narrow = dict(embed_dim=32, depth=2, num_heads=4)
    names = {
        "ghostnet_050": (64, {}), "ghostnetv2_100": (64, {}), "repvgg_a0": (64, {}), "mobileone_s0": (64, {}), "coatnet_nano_rw_224": (224, {}), "edgenext_xx_small": (64, {}),
        "mobilevit_xxs": (64, {}), "mobilevitv2_050": (64, {}), "fastvit_t8": (64, {}), "efficientvit_b0": (64, {}), "efficientvit_m0": (224, {}), "levit_128s": (224, {}),
        "res2net50_26w_4s": (64, dict(layers=(1, 1, 1, 1))), "skresnet18": (64, {}), "seresnet18" : (64, {}), "resnest14d": (64, {}), "ecaresnet26t": (64, {}), "hrnet_w18_small": (64, {}), "dla46_c": (64, {}), "cspresnet50": (64, {}), "ese_vovnet19b_slim_dw": (64, {}),
        "selecsls42": (64, {}), "tinynet_e": (64, {}), "lcnet_050": (64, {}), "mixnet_s": (64, {}), "rexnet_100": (64, {}), "semnasnet_075": (64, {}), "mobilenetv4_conv_small": (64, {}), "hardcorenas_a": (64, {}), "efficientnet_lite0": (64, {}),
        "convnextv2_atto": (64, {}), "deit_tiny_distilled_patch16_224": (64, narrow), "beit_base_patch16_224": (64, narrow), "cait_xxs24_224": (64, narrow), "xcit_nano_12_p16_224": (64, narrow | dict(depth=1)),
        "pit_ti_224": (224, {}), "pvt_v2_b0": (64, {}), "twins_svt_small": (64, dict(embed_dims=[16, 32, 48, 64], depths=[1, 1, 2, 1], num_heads=[2, 2, 4, 4])), "visformer_tiny": (224, {}), "tnt_s_patch16_224": (224, dict(depth=1)), "davit_tiny": (64, dict(depths=(1, 1, 1, 1), embed_dims=(24, 48, 72, 96))),
        "inception_next_tiny": (64, dict(depths=(1, 1, 1, 1), dims=(24, 48, 72, 96))), "efficientformer_l1": (224, {}), "nf_regnet_b0": (64, {}), "xception41": (96, {}), "dpn48b": (64, {}),
    }

    def make(name, size, options):
        options = dict(options)
        if size == 64 and any(word in name for word in ("deit", "beit", "cait", "xcit")):
            options["img_size"] = 64
        return timm.create_model(name, pretrained=False, num_classes=10, **options)

    from timm.layers import GatedMlp, GluMlp
    from timm.models import convmixer, focalnet, metaformer, mlp_mixer as mixers
    mixer = dict(img_size=64, num_classes=10, num_blocks=2, embed_dim=32)
    former = dict(depths=(1, 1, 1, 1), dims=(16, 24, 32, 48), num_classes=10)
    direct = {
        "mixer": lambda: mixers.MlpMixer(**mixer),
        "gmixer": lambda: mixers.MlpMixer(**mixer, mlp_ratio=(1.0, 4.0), mlp_layer=GluMlp, act_layer=nn.SiLU),
        "resmlp": lambda: mixers.MlpMixer(**mixer, mlp_ratio=4, block_layer=mixers.ResBlock, norm_layer=mixers.Affine),
        "gmlp": lambda: mixers.MlpMixer(**mixer, mlp_ratio=6, block_layer=mixers.SpatialGatingBlock, mlp_layer=GatedMlp),
        "poolformer": lambda: metaformer.MetaFormer(**former, norm_layers=metaformer.GroupNorm1),
        "focalnet": lambda: focalnet.FocalNet(embed_dim=24, depths=(1, 1, 1, 1), num_classes=10),
        "convmixer": lambda: convmixer.ConvMixer(32, 2, kernel_size=7, patch_size=7, num_classes=10),
    }
    return {f"timm_{name}": (make_it, image) for name, make_it in direct.items()} | {f"timm_{name}": ((lambda name=name, size=size, options=options: make(name, size, options)), (lambda size=size: image(size))) for name, (size, options) in names.items()}


def transformers_models():
    import transformers as t
    small = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, vocab_size=99)
    ids = lambda: (torch.randint(2, 99, (1, 7)),)
    pixels = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, image_size=64)
    causal = small | dict(use_cache=False)
    sound = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, conv_dim=(16, 16), conv_stride=(5, 2), conv_kernel=(10, 3), num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4)
    clip_text = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, vocab_size=99, max_position_embeddings=16, projection_dim=24)
    clip_vision = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=64, patch_size=16, projection_dim=24)

    class Encoder(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, *xs):
            return self.model(*xs)[0]

    return {
        "bert": (lambda: t.BertModel(t.BertConfig(**small)), ids),
        "roberta": (lambda: t.RobertaModel(t.RobertaConfig(**small)), ids),
        "distilbert": (lambda: t.DistilBertModel(t.DistilBertConfig(dim=32, n_layers=2, n_heads=4, hidden_dim=64, vocab_size=99)), ids),
        "electra": (lambda: t.ElectraModel(t.ElectraConfig(**small)), ids),
        "albert": (lambda: t.AlbertModel(t.AlbertConfig(**small, embedding_size=16)), ids),
        "mobilebert": (lambda: t.MobileBertModel(t.MobileBertConfig(**small, embedding_size=16, intra_bottleneck_size=16)), ids),
        "deberta_v2": (lambda: t.DebertaV2Model(t.DebertaV2Config(**small, relative_attention=True, pos_att_type=["p2c", "c2p"])), ids),
        "mpnet": (lambda: t.MPNetModel(t.MPNetConfig(**small)), ids),
        "modernbert": (lambda: t.ModernBertModel(t.ModernBertConfig(**small, pad_token_id=0, cls_token_id=1, sep_token_id=1, bos_token_id=1, eos_token_id=1)), ids),
        "gpt2": (lambda: t.GPT2Model(t.GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=99, use_cache=False)), ids),
        "gpt_neox": (lambda: t.GPTNeoXForCausalLM(t.GPTNeoXConfig(**causal)), ids),
        "opt": (lambda: t.OPTForCausalLM(t.OPTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=64, vocab_size=99, word_embed_proj_dim=32, use_cache=False)), ids),
        "bloom": (lambda: t.BloomForCausalLM(t.BloomConfig(hidden_size=32, n_layer=2, n_head=4, vocab_size=99, use_cache=False)), ids),
        "llama": (lambda: t.LlamaForCausalLM(t.LlamaConfig(**causal)), ids),
        "mistral": (lambda: t.MistralForCausalLM(t.MistralConfig(**causal, num_key_value_heads=2, sliding_window=4)), ids),
        "qwen2": (lambda: t.Qwen2ForCausalLM(t.Qwen2Config(**causal, num_key_value_heads=2)), ids),
        "qwen3": (lambda: t.Qwen3ForCausalLM(t.Qwen3Config(**causal, num_key_value_heads=2, head_dim=8)), ids),
        "gemma": (lambda: t.GemmaForCausalLM(t.GemmaConfig(**causal, num_key_value_heads=2, head_dim=8)), ids),
        "gemma2": (lambda: t.Gemma2ForCausalLM(t.Gemma2Config(**causal, num_key_value_heads=2, head_dim=8)), ids),
        "phi": (lambda: t.PhiForCausalLM(t.PhiConfig(**causal)), ids),
        "t5_encoder": (lambda: Encoder(t.T5EncoderModel(t.T5Config(d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, vocab_size=99))), ids),
        "bart_encoder": (lambda: Encoder(t.BartModel(t.BartConfig(d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, vocab_size=99)).encoder), ids),
        "whisper_encoder": (lambda: Encoder(t.WhisperModel(t.WhisperConfig(d_model=32, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, num_mel_bins=20, max_source_positions=25, vocab_size=99, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)).encoder), lambda: (torch.randn(1, 20, 50),)),
        "clip": (lambda: t.CLIPModel(t.CLIPConfig(text_config=clip_text, vision_config=clip_vision, projection_dim=24)), lambda: (*ids(), *image())),
        "siglip_vision": (lambda: t.SiglipVisionModel(t.SiglipVisionConfig(**{k: v for k, v in clip_vision.items() if k != "projection_dim"})), image),
        "vit": (lambda: t.ViTModel(t.ViTConfig(**pixels)), image),
        "dinov2": (lambda: t.Dinov2Model(t.Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, image_size=64, patch_size=16)), image),
        "segformer": (lambda: t.SegformerForSemanticSegmentation(t.SegformerConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32], num_attention_heads=[1, 2, 3, 4], decoder_hidden_size=16)), image),
        "wav2vec2": (lambda: t.Wav2Vec2Model(t.Wav2Vec2Config(**sound, num_feat_extract_layers=2, vocab_size=32)), lambda: (torch.randn(1, 800),)),
        "hubert": (lambda: t.HubertModel(t.HubertConfig(**sound, num_feat_extract_layers=2, vocab_size=32)), lambda: (torch.randn(1, 800),)),
    }


def randomize(model):
    for part in model.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
            part.running_mean.uniform_(-0.2, 0.2)
            part.running_var.uniform_(0.5, 1.5)


def export(name, make, inputs, folder):
    torch.manual_seed(0)
    model, args = make().eval(), inputs()
    with torch.no_grad():
        randomize(model)
        outputs = [v for v in torch.utils._pytree.tree_leaves(model(*args)) if isinstance(v, torch.Tensor)]
        start = time.perf_counter()
        program = torch.export.export(model, args)
        torch.export.save(program, folder / f"{name}.pt2")
    arrays = {f"in{i}": v.numpy() for i, v in enumerate(args)} | {f"out{i}": v.numpy() for i, v in enumerate(outputs)}
    np.savez(folder / f"{name}.npz", **arrays)
    print(f"{name} {time.perf_counter() - start:.1f} s", flush=True)


def main():
    folder, only = Path(sys.argv[1]), sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    for name, (make, inputs) in (nets | torchvision_models() | timm_models() | transformers_models()).items():
        if only and name not in only:
            continue
        try:
            export(name, make, inputs, folder)
        except Exception as error:
            print("not exported", name, type(error).__name__, str(error).splitlines()[:1] and str(error).splitlines()[0][:160], flush=True)


if __name__ == "__main__":
    main()
