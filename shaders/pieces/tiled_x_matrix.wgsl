// x of gemm_tiled as a plain matrix: (m,k), or (k,m) where not X_ALONG_K.

struct X { m: u32, k: u32 }

fn x_start(m: u32, k: u32) -> X { return X(m, k); }

fn x_next(spot: ptr<function, X>) { (*spot).k += DEPTH; }

// Row m of x at k ..; beyond x, zero.
fn x_row(m: u32, k: u32, end: u32) -> vec4f {
    if m >= p.m || k >= end { return vec4f(); }
    return load_x4(p.x_offset + m * p.x_stride + k, 1u, end - k);
}

fn x_column(k: u32, m: u32, end: u32) -> vec4f {
    if m >= p.m || k >= end { return vec4f(); }
    return load_x4(p.x_offset + k * p.x_stride + m, 1u, p.m - m);
}

fn x_block(spot: ptr<function, X>, end: u32) -> Block {
    let m = (*spot).m;
    let k = (*spot).k;
    if X_ALONG_K != 0u {
        return transposed(x_row(m, k, end), x_row(m + 1u, k, end), x_row(m + 2u, k, end), x_row(m + 3u, k, end));
    }
    return Block(array<vec4f, 4>(
        x_column(k, m, end), x_column(k + 1u, m, end), x_column(k + 2u, m, end), x_column(k + 3u, m, end),
    ));
}

