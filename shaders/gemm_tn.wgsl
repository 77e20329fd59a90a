// gemm_tn: y = a^T b, or y += a^T b, for the weight gradients of conv2d; rung `subgroup` and Winograd.
//
// a  texels of 4 neighbours along m for one k; k runs in lines:
//      matrix packed by columns (dense, Winograd): one line, panels of 8 texels, a_step 8
//      conv2d: x with its padding from `conv2d_halo`; a line is one row of y, m is (kw, c) of one row of taps
// b  (k, n) packed by columns: d_y, in lines rounded up to 4, zero where rounded
// y  (rows, n) f32. Row e of a run (kw * c4 * 4 long) is tap e / (4 c4), channel e mod 4 c4; channels from c on
//    are padding and left out. So y is (kh, kw, ci, co) itself.
//
// One workgroup computes 32 rows by 64 columns of y; lane l loads rows 4l .. 4l + 3 and holds columns
// 4l .. 4l + 3 of each half. groups (kh * panels of a run, n / 64 rounded up, batch)

struct P {
    n: u32,
    lines: u32,       // lines of k in all: rows of y of all images
    line4: u32,       // k of a line / 4, rounded up
    image_lines: u32, // lines of one image
    image_line: u32,  // the first line within its image
    a_offset: u32,
    a_image_skip: u32, // texels between images, less those of image_lines lines (may wrap below zero)
    a_line: u32,      // texels between lines
    a_step: u32,      // texels between one k and the next
    a_run: u32,       // texels between rows of taps (conv2d)
    run_panels: u32,  // panels of 8 texels in a run
    a_panel: u32,     // texels between panels: 8 (conv2d) or depth * 8 (packed)
    a_batch: u32,
    b_offset: u32,
    b_panel: u32,     // texels between panels of b: lines * line4 * 32
    b_batch: u32,
    c: u32,           // channels that exist in 4 * c4
    c4: u32,
    run: u32,         // rows of y in a run, before leaving out padding: kw * c4 * 4
    y_row: u32,
    y_offset: u32,
    y_batch: u32,
    accumulate: u32,
}

@group(0) @binding(0) var a: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var b: texture_storage_2d<rgba32float, read>;

// Four rows by four columns a lane.
alias Rows = array<vec4f, 4>;
// Four k of one operand.
struct Strip { k0: vec4f, k1: vec4f, k2: vec4f, k3: vec4f }

fn load_a(i: u32) -> Strip {
    return Strip(textureLoad(a, texel(i)), textureLoad(a, texel(i + p.a_step)),
                 textureLoad(a, texel(i + 2u * p.a_step)), textureLoad(a, texel(i + 3u * p.a_step)));
}

fn load_b(i: u32) -> Strip {
    return Strip(textureLoad(b, texel(i)), textureLoad(b, texel(i + 8u)),
                 textureLoad(b, texel(i + 16u)), textureLoad(b, texel(i + 24u)));
}

fn row(t: vec4f, x: f32, y: f32, z: f32, w: f32, b: Strip) -> vec4f {
    return t + ((x * b.k0 + y * b.k1) + (z * b.k2 + w * b.k3));
}

// The four rows that `lane` loaded, both halves.
fn add_rows(left: ptr<function, Rows>, right: ptr<function, Rows>, a: Strip, lane: u32, b: Strip, c: Strip) {
    let s0 = subgroupShuffle(a.k0, lane);
    let s1 = subgroupShuffle(a.k1, lane);
    let s2 = subgroupShuffle(a.k2, lane);
    let s3 = subgroupShuffle(a.k3, lane);
    (*left)[0] = row((*left)[0], s0.x, s1.x, s2.x, s3.x, b); (*right)[0] = row((*right)[0], s0.x, s1.x, s2.x, s3.x, c);
    (*left)[1] = row((*left)[1], s0.y, s1.y, s2.y, s3.y, b); (*right)[1] = row((*right)[1], s0.y, s1.y, s2.y, s3.y, c);
    (*left)[2] = row((*left)[2], s0.z, s1.z, s2.z, s3.z, b); (*right)[2] = row((*right)[2], s0.z, s1.z, s2.z, s3.z, c);
    (*left)[3] = row((*left)[3], s0.w, s1.w, s2.w, s3.w, b); (*right)[3] = row((*right)[3], s0.w, s1.w, s2.w, s3.w, c);
}

@compute @workgroup_size(8)
fn product(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let dy = group.x / p.run_panels;
    let panel = group.x - dy * p.run_panels;
    let a_first = p.a_offset + group.z * p.a_batch + dy * p.a_run + panel * p.a_panel + lane;
    let b_first = p.b_offset + group.z * p.b_batch + group.y * 2u * p.b_panel + lane;
    var l0: Rows; var l1: Rows; var l2: Rows; var l3: Rows; var l4: Rows; var l5: Rows; var l6: Rows; var l7: Rows;
    var r0: Rows; var r1: Rows; var r2: Rows; var r3: Rows; var r4: Rows; var r5: Rows; var r6: Rows; var r7: Rows;
    // One loop over lines and k: a nested loop would put the tile through two masks.
    var line_first = a_first;
    var line_in_image = p.image_line;
    var in_line = 0u;
    for (var k = 0u; k < p.lines * p.line4; k++) {
        let i = line_first + in_line * 4u * p.a_step;
        let x = load_a(i);
        let b0 = load_b(b_first + k * 32u);
        let b1 = load_b(b_first + p.b_panel + k * 32u);
        add_rows(&l0, &r0, x, 0u, b0, b1);
        add_rows(&l1, &r1, x, 1u, b0, b1);
        add_rows(&l2, &r2, x, 2u, b0, b1);
        add_rows(&l3, &r3, x, 3u, b0, b1);
        add_rows(&l4, &r4, x, 4u, b0, b1);
        add_rows(&l5, &r5, x, 5u, b0, b1);
        add_rows(&l6, &r6, x, 6u, b0, b1);
        add_rows(&l7, &r7, x, 7u, b0, b1);
        let line_ends = in_line + 1u == p.line4;
        let image_ends = line_ends && line_in_image + 1u == p.image_lines;
        in_line = select(in_line + 1u, 0u, line_ends);
        line_in_image = select(line_in_image + select(0u, 1u, line_ends), 0u, image_ends);
        line_first += select(0u, p.a_line, line_ends) + select(0u, p.a_image_skip, image_ends);
    }
    let e = panel * 32u;
    let taps = dy * (p.run / (4u * p.c4));
    let n = group.y * 64u + lane * 4u;
    put_rows(&l0, &r0, e, taps, n, group.z);
    put_rows(&l1, &r1, e + 4u, taps, n, group.z);
    put_rows(&l2, &r2, e + 8u, taps, n, group.z);
    put_rows(&l3, &r3, e + 12u, taps, n, group.z);
    put_rows(&l4, &r4, e + 16u, taps, n, group.z);
    put_rows(&l5, &r5, e + 20u, taps, n, group.z);
    put_rows(&l6, &r6, e + 24u, taps, n, group.z);
    put_rows(&l7, &r7, e + 28u, taps, n, group.z);
}
