"""Which pictures of the ComfyUI template packages are taken, and what made each: chosen by rule, checked by eye.

Taken is the first picture of a template that makes one still picture from words alone, when it could pass for a photograph. Left are
edited, upscaled, guided and relit pictures, since nobody says what they were made of, and those of templates with a second picture to
compare; posters, badges and lettering laid over the picture; collages; drawings and paintings; templates whose name hides the generator.
"""

from collections.abc import Mapping
from types import MappingProxyType

PACKAGES = (  # of PyPI, MIT
    "comfyui-workflow-templates-media-image",
    "comfyui-workflow-templates-media-assets-01",
    "comfyui-workflow-templates-media-api",
)

GENERATORS: Mapping[str, str] = MappingProxyType(  # by file name without its ending
    {
        "Image_capybara_v0_1_text_to_image-1": "capybara-0.1",
        "api_bfl_flux_pro_t2i-1": "flux-pro",
        "api_bytedance_seedream_5_0_lite_t2i-1": "seedream-5.0-lite",
        "api_grok_text_to_image-1": "grok",
        "api_ideogram_v3_t2i-1": "ideogram-3",
        "api_kling_v3_t2i-1": "kling-3",
        "api_krea2_t2i-1": "krea-2",
        "api_luma_uni_1_image_create-1": "luma-uni-1",
        "api_openai_dall_e_3_t2i-1": "dall-e-3",
        "api_openrouter_mai_image_26_flash-1": "mai-image-2.6-flash",
        "api_recraft_v4_1_t2i-1": "recraft-4.1",
        "api_recraft_v4_t2i-1": "recraft-4",
        "api_reve_image_create-1": "reve",
        "api_stability_ai_sd3.5_t2i-1": "sd-3.5",
        "api_stability_ai_stable_image_ultra_t2i-1": "stable-image-ultra",
        "flux1_krea_dev-1": "flux-1-krea-dev",
        "flux_dev_checkpoint_example-1": "flux-dev",
        "flux_schnell_full_text_to_image-1": "flux-schnell",
        "hidream_i1_dev-1": "hidream-i1-dev",
        "hidream_i1_fast-1": "hidream-i1-fast",
        "hidream_i1_full-1": "hidream-i1-full",
        "image_boogu_image_0_1_turbo_t2i-1": "boogu-image-0.1-turbo",
        "image_chroma1_radiance_text_to_image-1": "chroma-1-radiance",
        "image_chroma_text_to_image-1": "chroma",
        "image_ernie_image_turbo-1": "ernie-image-turbo",
        "image_flux2_klein_text_to_image-1": "flux-2-klein",
        "image_flux2_text_to_image-1": "flux-2",
        "image_flux2_text_to_image_9b-1": "flux-2-9b",
        "image_hidream_o1-1": "hidream-o1",
        "image_kandinsky5_t2i-1": "kandinsky-5",
        "image_krea2_turbo_t2i_int8-1": "krea-2-turbo",
        "image_lens_t2i-1": "lens",
        "image_lens_turbo_t2i-1": "lens-turbo",
        "image_longcat_text_to_image-1": "longcat-image",
        "image_mage_flow_t2i_int8-1": "mage-flow",
        "image_mage_flow_turbo_t2i_int8-1": "mage-flow-turbo",
        "image_omnigen2_t2i-1": "omnigen-2",
        "image_ovis_text_to_image-1": "ovis-image",
        "image_pixeldit_t2i-1": "pixeldit",
        "image_qwen_Image_2512-1": "qwen-image-2512",
        "image_qwen_image-1": "qwen-image",
        "image_qwen_image_2512_with_2steps_lora-1": "qwen-image-2512",
        "image_sdxl_simple-1": "sdxl",
        "image_z_image-1": "z-image",
        "image_z_image_int8-1": "z-image",
        "image_z_image_turbo-1": "z-image-turbo",
        "image_z_image_turbo_int8-1": "z-image-turbo",
        "sd3.5_simple_example-1": "sd-3.5",
        "sdxl_simple_example-1": "sdxl",
        "sdxlturbo_example-1": "sdxl-turbo",
    }
)
