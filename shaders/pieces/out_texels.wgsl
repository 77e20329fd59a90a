// What is written, as texels.

@group(0) @binding(1) var out: texture_storage_2d<rgba32float, write>;

fn put(i: u32, v: vec4f) { textureStore(out, texel(i), v); }

