// Packs a matrix x(u, v) into texels, in the order in which gemm, gemm_tn and conv2d_subgroup read it.
//
//   rows    (BY_ROWS, operand a of gemm):    texel (e / 32, t, e mod 32) = x(e, 4t .. 4t + 3)
//   columns (operand b; operand a of gemm_tn): texel (e / 8, t, e mod 8) = x(t, 4e .. 4e + 3)
//
// v runs inside a texel. u runs in lines: of `line` packed places the first `line_len` exist, the rest are zero; line q
// starts at q * line_stride. So a matrix is one line; the taps of a weight with ci rounded up to 4, or the rows of a
// map with its width rounded up to 4, are many. A transposed matrix has its strides swapped; the rotated weight of
// d_x has its lines reversed (REVERSED: line q is read from line lines - 1 - q).
// out  panels, 32 (rows) or 8 (columns) texels wide and `depth` long; the margins are zero.
//
// One invocation computes RUN texels: on llvmpipe a group of one subgroup costs about 0.1 us, as much as packing a
// few of them. groups (panels * WIDTH / 8, depth / RUN rounded up): neighbours read the same rows of a weight.
// Source: packing, Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication".

struct P {
    lines: u32,
    line: u32,
    line_len: u32,
    line_stride: u32,
    u_stride: u32,
    v_len: u32,
    v_stride: u32,
    depth: u32,    // texels along the inner loop of the product
    panels: u32,
    x_offset: u32, // first element
}

@group(0) @binding(1) var out: texture_storage_2d<rgba32float, write>;

const RUN: u32 = 16u;
const WIDTH: u32 = select(8u, 32u, BY_ROWS != 0u);

fn element4(u: u32, v: u32) -> vec4f {
    let q = u / p.line;
    let r = u - q * p.line;
    if q >= p.lines || r >= p.line_len || v >= p.v_len { return vec4f(); }
    let from_line = select(q, p.lines - 1u - q, REVERSED != 0u);
    return load_x4(p.x_offset + from_line * p.line_stride + r * p.u_stride + v * p.v_stride, p.v_stride, p.v_len - v);
}

@compute @workgroup_size(8)
fn pack(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let e = group.x * 8u + lane;
    let out_first = e / WIDTH * p.depth * WIDTH + e % WIDTH;
    let end = min(p.depth, (group.y + 1u) * RUN);
    for (var t = group.y * RUN; t < end; t++) {
        let value = element4(select(t, e, BY_ROWS != 0u), 4u * select(e, t, BY_ROWS != 0u));
        textureStore(out, texel(out_first + t * WIDTH), value);
    }
}
