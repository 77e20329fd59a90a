// w of gemm_tiled as a plain matrix: (k,n), or (n,k) where W_ALONG_K.

// `first` is where this copy's matrix begins.
struct W { n: u32, k: u32, first: u32 }

fn w_start(n: u32, k: u32, copy: u32) -> W { return W(n, k, p.w_offset + copy * p.w_batch); }

fn w_next(spot: ptr<function, W>) { (*spot).k += DEPTH; }

// Row k of w at n ..; beyond w, zero.
fn w_row(first: u32, k: u32, n: u32, end: u32) -> vec4f {
    if n >= p.n || k >= end { return vec4f(); }
    return load_w4(first + k * p.w_stride + n, p.n - n);
}

fn w_column(first: u32, n: u32, k: u32, end: u32) -> vec4f {
    if n >= p.n || k >= end { return vec4f(); }
    return load_w4(first + n * p.w_stride + k, end - k);
}

fn w_block(spot: ptr<function, W>, end: u32) -> Block {
    let n = (*spot).n;
    let k = (*spot).k;
    let f = (*spot).first;
    if W_ALONG_K != 0u {
        return transposed(
            w_column(f, n, k, end), w_column(f, n + 1u, k, end), w_column(f, n + 2u, k, end), w_column(f, n + 3u, k, end),
        );
    }
    return Block(array<vec4f, 4>(
        w_row(f, k, n, end), w_row(f, k + 1u, n, end), w_row(f, k + 2u, n, end), w_row(f, k + 3u, n, end),
    ));
}

