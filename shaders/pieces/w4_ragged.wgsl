// Up to four neighbours of w; `left` of them exist, the others count as zero.

@group(0) @binding(1) var<storage, read> w: array<w_type>;

fn load_w4(i: u32, left: u32) -> vec4f {
    let first = w_at + i;
    var v = vec4f(f32(w[first]), 0.0, 0.0, 0.0);
    if left > 1u { v.y = f32(w[first + 1u]); }
    if left > 2u { v.z = f32(w[first + 2u]); }
    if left > 3u { v.w = f32(w[first + 3u]); }
    return v;
}

