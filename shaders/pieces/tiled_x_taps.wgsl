// x of gemm_tiled in the weight gradient: a row is a tap and a channel of x (rounded up to four), k runs over pixels.

struct X {
    tap: Tap,
    image: u32, // of the next pixel: the image's first pixel, then row and column in the output
    y: u32,
    x: u32,
    k: u32,
}

fn x_start(m: u32, k: u32, copy: u32) -> X {
    let image = k / (p.ho * p.wo);
    let in_image = k - image * p.ho * p.wo;
    let y = in_image / p.wo;
    return X(tap_at(m), image * p.h * p.w, y, in_image - y * p.wo, k);
}

fn x_move(spot: ptr<function, X>, pixels: u32) {
    (*spot).k += pixels;
    (*spot).x += pixels;
    while (*spot).x >= p.wo {
        (*spot).x -= p.wo;
        (*spot).y += 1u;
        if (*spot).y == p.ho {
            (*spot).y = 0u;
            (*spot).image += p.h * p.w;
        }
    }
}

fn x_next(spot: ptr<function, X>) { x_move(spot, DEPTH - 4u); } // x_block has moved by four

fn x_pixel(spot: ptr<function, X>, end: u32) -> vec4f {
    let f = *spot;
    x_move(spot, 1u);
    let iy = f.y * p.sh + f.tap.ky - p.top; // a negative number is a large u32
    let ix = f.x * p.sw + f.tap.kx - p.left;
    if f.k >= end || f.tap.ky >= p.kh || iy >= p.h || ix >= p.w || f.tap.c >= p.c { return vec4f(); }
    return load_x4((f.image + iy * p.w + ix) * p.c + f.tap.c, 1u, p.c - f.tap.c);
}

fn x_block(spot: ptr<function, X>, end: u32) -> Block {
    let a = x_pixel(spot, end);
    let b = x_pixel(spot, end);
    let c = x_pixel(spot, end);
    let d = x_pixel(spot, end);
    return Block(array<vec4f, 4>(a, b, c, d));
}

