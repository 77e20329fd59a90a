// dense, rung `naive`: a matrix product with bias and ReLU, over a window of the weight's rows.
//
//   y[n,o] = relu(b[o] + sum over i of x[n,i] * w[i,o])
//   d_x[n,i] = sum over o of d_y[n,o] * w[i,o]          d_w[i,o] = sum over n of x[n,i] * d_y[n,o]
//
// x (n,ci)  w (ci,co)  b (co)  y (n,co). A weight above the binding limit is bound as windows of whole rows:
// `first` is the window's first row and `rows` their number; the first window starts the sum with the bias, later
// ones add to it, and the last applies the ReLU. One invocation computes one element of y, d_x or d_w.

struct P {
    n: u32, ci: u32, co: u32, first: u32, rows: u32,
    has_bias: u32, relu: u32, accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<x_type>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<y_type>;
@group(0) @binding(4) var<storage, read> d_y: array<d_y_type>;
@group(0) @binding(5) var<storage, read_write> d_x: array<d_x_type>;
@group(0) @binding(6) var<storage, read_write> d_w: array<f32>;

@compute @workgroup_size(SIZE)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if i >= p.n * p.co { return; }
    let o = i % p.co;
    let x_row = i / p.co * p.ci + p.first;
    var sum = 0.0;
    if p.accumulate != 0u { sum = f32(y[y_at + i]); }
    else if p.has_bias != 0u { sum = b[b_at + o]; }
    for (var chunk = 0u; chunk < p.rows; chunk += 256u) {
        var part = 0.0; // sums of sums keep the rounding error of long rows small
        for (var r = chunk; r < min(chunk + 256u, p.rows); r++) {
            part += f32(x[x_at + x_row + r]) * w[w_at + r * p.co + o];
        }
        sum += part;
    }
    y[y_at + i] = y_type(select(sum, max(sum, 0.0), p.relu != 0u));
}

@compute @workgroup_size(SIZE)
fn input_gradient(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if i >= p.n * p.rows { return; }
    let r = i % p.rows;
    let n = i / p.rows;
    var sum = 0.0;
    for (var o = 0u; o < p.co; o++) {
        sum += f32(d_y[d_y_at + n * p.co + o]) * w[w_at + r * p.co + o];
    }
    let at = d_x_at + n * p.ci + p.first + r;
    if p.accumulate != 0u { sum += f32(d_x[at]); }
    d_x[at] = d_x_type(sum);
}

@compute @workgroup_size(SIZE)
fn weight_gradient(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if i >= p.rows * p.co { return; }
    let o = i % p.co;
    let x_column = p.first + i / p.co;
    var sum = 0.0;
    for (var n = 0u; n < p.n; n++) {
        sum += f32(x[x_at + n * p.ci + x_column]) * f32(d_y[d_y_at + n * p.co + o]);
    }
    if p.accumulate != 0u { sum += d_w[d_w_at + i]; }
    d_w[d_w_at + i] = sum;
}
