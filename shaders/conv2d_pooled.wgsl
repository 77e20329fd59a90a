// The way back through a 2x2 max-pool, the ReLU before it and the bias: from the gradient of the pooled map to the
// gradient of the convolution's product.
//
//   d_z[window, position] = y > 0 ? d_y : 0 at the window's maximum, and 0 elsewhere
//   d_b[c] = sum over all windows of y > 0 ? d_y : 0
//
// y, d_y (n, h / 2, w / 2, c) of the pooled map, c a multiple of 4; positions 0..3 in row-major order, one byte an
// element; d_z (n, h, w, c); partial (chunks, c). A value of y before the pool is positive where the pooled one is, so
// that nothing else is kept. Rows and columns that no window covers become zero.
//
// One invocation expands up to `chunk` windows of four channels, and leaves their sum in `partial`. The cells that it
// runs over are the windows and those that the map's last row and column only begin.

struct P {
    rows: u32,     // cells: n * (h / 2) * (w / 2), both rounded up
    channels: u32,
    chunk: u32,
    chunks: u32,
    h: u32, w: u32,
    relu: u32,
}

@group(0) @binding(0) var<storage, read> d_y: array<vec4<d_y_type>>;
@group(0) @binding(1) var<storage, read> y: array<vec4<y_type>>;
@group(0) @binding(2) var<storage, read> positions: array<u32>;
@group(0) @binding(3) var<storage, read_write> d_z: array<vec4<d_z_type>>;
@group(0) @binding(4) var<storage, read_write> partial: array<vec4f>;

struct Window { d: vec4f, position: vec4u }

fn window(i: u32) -> Window {
    let masked = vec4<bool>(p.relu != 0u) & (vec4f(y[y_at / 4u + i]) <= vec4f()); // a NaN is not masked
    let packed = vec4u(positions[positions_at + i]);
    return Window(select(vec4f(d_y[d_y_at / 4u + i]), vec4f(), masked), (packed >> vec4u(0u, 8u, 16u, 24u)) & vec4u(3u));
}

fn put(i: u32, from_window: Window, position: u32) {
    d_z[d_z_at / 4u + i] = vec4<d_z_type>(select(vec4f(), from_window.d, from_window.position == vec4u(position)));
}

@compute @workgroup_size(SIZE)
fn expand(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    let c4 = p.channels / 4u;
    let k = i / c4;
    let c = i - k * c4;
    if k >= p.chunks { return; }
    let down = (p.h + 1u) / 2u;
    let across = (p.w + 1u) / 2u;
    let whole_down = p.h / 2u;
    let whole_across = p.w / 2u;
    var sum = vec4f();
    for (var cell = k * p.chunk; cell < min((k + 1u) * p.chunk, p.rows); cell++) {
        let line = cell / across;
        let column = cell - line * across;
        let image = line / down;
        let row = line - image * down;
        var from_window = Window(vec4f(), vec4u());
        if row < whole_down && column < whole_across {
            from_window = window(((image * whole_down + row) * whole_across + column) * c4 + c);
        }
        sum += from_window.d;
        let first = ((image * p.h + 2u * row) * p.w + 2u * column) * c4 + c;
        let pitch = p.w * c4;
        let has_right = 2u * column + 1u < p.w;
        let has_below = 2u * row + 1u < p.h;
        put(first, from_window, 0u);
        if has_right { put(first + c4, from_window, 1u); }
        if has_below { put(first + pitch, from_window, 2u); }
        if has_right && has_below { put(first + pitch + c4, from_window, 3u); }
    }
    partial[partial_at / 4u + i] = sum;
}
