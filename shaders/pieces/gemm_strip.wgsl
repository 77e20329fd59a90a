// What gemm and the convolution load: a by rows, b in strips of four k.

@group(0) @binding(0) var a: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var b: texture_storage_2d<rgba32float, read>;

// With 32 rows each load works out its own address: sharing it costs registers and a fifth of the speed. With 16
// rows there are registers to spare, and sharing gains a fifth (both measured).
fn load_strip(first: u32) -> Strip {
    if ROWS == 16u {
        let at = texel(first);
        return Strip(textureLoad(b, at), textureLoad(b, at + vec2u(8u, 0u)),
                     textureLoad(b, at + vec2u(16u, 0u)), textureLoad(b, at + vec2u(24u, 0u)));
    }
    return Strip(textureLoad(b, texel(first)), textureLoad(b, texel(first + 8u)),
                 textureLoad(b, texel(first + 16u)), textureLoad(b, texel(first + 24u)));
}

