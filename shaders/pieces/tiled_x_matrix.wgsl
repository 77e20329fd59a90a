// x of gemm_tiled as a plain matrix: (m,k), or (k,m) where not X_ALONG_K.

// `first` is where this copy's matrix begins.
struct X { m: u32, k: u32, first: u32 }

fn x_start(m: u32, k: u32, copy: u32) -> X { return X(m, k, p.x_offset + copy * p.x_batch); }

fn x_next(spot: ptr<function, X>) { (*spot).k += DEPTH; }

// Row m of x at k ..; beyond x, zero.
fn x_row(first: u32, m: u32, k: u32, end: u32) -> vec4f {
    if m >= p.m || k >= end { return vec4f(); }
    return load_x4(first + m * p.x_stride + k, 1u, end - k);
}

fn x_column(first: u32, k: u32, m: u32, end: u32) -> vec4f {
    if m >= p.m || k >= end { return vec4f(); }
    return load_x4(first + k * p.x_stride + m, 1u, p.m - m);
}

fn x_block(spot: ptr<function, X>, end: u32) -> Block {
    let m = (*spot).m;
    let k = (*spot).k;
    let f = (*spot).first;
    if X_ALONG_K != 0u {
        return transposed(
            x_row(f, m, k, end), x_row(f, m + 1u, k, end), x_row(f, m + 2u, k, end), x_row(f, m + 3u, k, end),
        );
    }
    return Block(array<vec4f, 4>(
        x_column(f, k, m, end), x_column(f, k + 1u, m, end), x_column(f, k + 2u, m, end), x_column(f, k + 3u, m, end),
    ));
}

