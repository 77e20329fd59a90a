// x of gemm_tiled in a convolution: a row is an output pixel, k runs over the taps and channels of the map x.
//
// Forward: output (oy, ox) reads x at oy * sh + ky - top. BACKWARD, x is d_y: input (iy, ix) reads d_y at
// (iy + top - ky) / sh where that is whole. Outside of the map is zero; a negative number is a large u32.

struct X {
    y: vec4u,     // of four neighbouring pixels: the row before the tap is added, the column, the image's first pixel
    x: vec4u,
    image: vec4u,
    tap: Tap,
}

fn x_start(m: u32, k: u32, copy: u32) -> X {
    let pixel = min(vec4u(m, m + 1u, m + 2u, m + 3u), vec4u(p.m - 1u)); // what lies beyond is not stored
    let image = pixel / (p.ho * p.wo);
    let in_image = pixel - image * p.ho * p.wo;
    let y = in_image / p.wo;
    let x = in_image - y * p.wo;
    if BACKWARD != 0u { return X(y + p.top, x + p.left, image * p.h * p.w, tap_at(k)); }
    return X(y * p.sh - p.top, x * p.sw - p.left, image * p.h * p.w, tap_at(k));
}

fn x_next(spot: ptr<function, X>) { (*spot).tap = tap_next((*spot).tap); }

fn x_pixel(y: u32, x: u32, image: u32, tap: Tap) -> vec4f {
    var iy = y + tap.ky;
    var ix = x + tap.kx;
    if BACKWARD != 0u {
        iy = y - tap.ky;
        ix = x - tap.kx;
        if p.sh > 1u {
            if iy % p.sh != 0u { return vec4f(); }
            iy /= p.sh;
        }
        if p.sw > 1u {
            if ix % p.sw != 0u { return vec4f(); }
            ix /= p.sw;
        }
    }
    if iy >= p.h || ix >= p.w || tap.c >= p.c { return vec4f(); }
    return load_x4((image + iy * p.w + ix) * p.c + tap.c, 1u, p.c - tap.c);
}

fn x_block(spot: ptr<function, X>, end: u32) -> Block {
    let f = *spot;
    if f.tap.ky >= p.kh { return Block(); }
    return transposed(
        x_pixel(f.y.x, f.x.x, f.image.x, f.tap), x_pixel(f.y.y, f.x.y, f.image.y, f.tap),
        x_pixel(f.y.z, f.x.z, f.image.z, f.tap), x_pixel(f.y.w, f.x.w, f.image.w, f.tap),
    );
}

