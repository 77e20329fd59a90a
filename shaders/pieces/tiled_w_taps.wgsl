// w of gemm_tiled in a convolution: the weight (kh,kw,ci,co), k over taps and channels rounded up to four.
//
// Forward: row (tap, ci), column co. BACKWARD: row (tap, co), column ci, so that it is contiguous along k.

struct W { n: u32, tap: Tap }

fn w_start(n: u32, k: u32, copy: u32) -> W { return W(n, tap_at(k)); }

fn w_next(spot: ptr<function, W>) { (*spot).tap = tap_next((*spot).tap); }

fn w_row(first: u32, c: u32, n: u32) -> vec4f {
    if c >= p.c || n >= p.n { return vec4f(); }
    return load_w4((first + c) * p.n + n, p.n - n);
}

fn w_column(first: u32, c: u32, n: u32) -> vec4f {
    if c >= p.c || n >= p.n { return vec4f(); }
    return load_w4((first + n) * p.c + c, p.c - c);
}

fn w_block(spot: ptr<function, W>, end: u32) -> Block {
    let n = (*spot).n;
    let tap = (*spot).tap;
    if tap.ky >= p.kh { return Block(); }
    let first = (tap.ky * p.kw + tap.kx) * p.w_rows;
    if BACKWARD != 0u {
        return transposed(
            w_column(first, tap.c, n), w_column(first, tap.c, n + 1u),
            w_column(first, tap.c, n + 2u), w_column(first, tap.c, n + 3u),
        );
    }
    return Block(array<vec4f, 4>(
        w_row(first, tap.c, n), w_row(first, tap.c + 1u, n), w_row(first, tap.c + 2u, n), w_row(first, tap.c + 3u, n),
    ));
}

