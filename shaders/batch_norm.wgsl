// y[r,c] = max(floor, gamma[c] u[r,c] + beta[c]),  u[r,c] = (x[r,c] - mean[c]) / sqrt(variance[c] + epsilon)
//
//   d_beta[c]  = sum over r of d_y[r,c]                 d_gamma[c] = sum over r of d_y[r,c] u[r,c]
//   d_x[r,c]   = scale[c] (d_y[r,c] - d_beta[c] / rows - u[r,c] d_gamma[c] / rows),  scale = gamma / sqrt(variance + epsilon)
//   frozen       scale[c] d_y[r,c]
//
// x, y, d_y, d_x (rows, channels); norm (4, channels rounded up to four): mean, 1 / sqrt(variance + epsilon), scale, beta.
// In the backward pass w is d_y and y is d_x.
//
// Sums have two passes of fixed order. `moments` and `products`: one invocation goes through up to `chunk` rows of four
// channels. `by_batch` and `total`: one workgroup joins the chunks of four channels. `by_moving`, `give_gamma` and
// `give_beta`: one invocation per channel. `forward`, `backward` and `backward_frozen`: one invocation computes four
// neighbours.
// Source: Ioffe and Szegedy 2015, algorithm 1 and section 3; joining means and squares: Chan, Golub and LeVeque 1979,
// equation 2.1.

struct P {
    rows: u32,
    channels: u32,
    chunk: u32,
    chunks: u32,
    momentum: f32,
    epsilon: f32,
    floor: f32, // 0 with ReLU, else the least number
    accumulate: u32,
}

@group(0) @binding(2) var<storage, read_write> norm: array<f32>;
@group(0) @binding(4) var<storage, read> norms: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> partial: array<vec4f>;
@group(0) @binding(6) var<storage, read> parts: array<vec4f>;
@group(0) @binding(7) var<storage, read> gamma: array<f32>;
@group(0) @binding(8) var<storage, read> beta: array<f32>;
@group(0) @binding(9) var<storage, read> mean: array<f32>;
@group(0) @binding(10) var<storage, read> variance: array<f32>;
@group(0) @binding(11) var<storage, read_write> moving_mean: array<f32>;
@group(0) @binding(12) var<storage, read_write> moving_variance: array<f32>;
@group(0) @binding(13) var<storage, read_write> sums: array<vec4f>;
@group(0) @binding(14) var<storage, read> totals: array<f32>;
@group(0) @binding(15) var<storage, read_write> d_param: array<f32>;

fn quads() -> u32 { return (p.channels + 3u) / 4u; }

// Four channels of a row.
struct Place { i: u32, c: u32, left: u32 }

// The i-th four of x; its index is beyond x where there are fewer.
fn place(i: u32) -> Place {
    let row = i / quads();
    let c = 4u * (i - row * quads());
    return Place(row * p.channels + c, c, p.channels - c);
}

// Four channels of one of norm's rows: 0 mean, 1 inverse deviation, 2 scale, 3 shift.
fn of_norm(row: u32, c: u32) -> vec4f { return norms[norms_at / 4u + row * quads() + c / 4u]; }

// Two vec4f for each strip, or for each four channels.
struct Pair { a: vec4f, b: vec4f }

// What is known of some rows: how many, their mean, and the sum of squared distances from it.
struct Moments { count: f32, mean: vec4f, squares: vec4f }

fn joined(a: Moments, b: Moments) -> Moments {
    if b.count == 0.0 { return a; }
    let count = a.count + b.count;
    let apart = b.mean - a.mean;
    let mean = a.mean + apart * (b.count / count);
    return Moments(count, mean, a.squares + b.squares + apart * apart * (a.count * b.count / count));
}

@compute @workgroup_size(SIZE)
fn moments(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let s = strip(flat_index(group, groups, local));
    if s.first >= p.rows { return; }
    let left = p.channels - s.c;
    var sum = vec4f();
    for (var r = s.first; r < s.end; r++) { sum += load_x4(r * p.channels + s.c, 1u, left); }
    let mean = sum / f32(s.end - s.first);
    var squares = vec4f();
    for (var r = s.first; r < s.end; r++) {
        let apart = load_x4(r * p.channels + s.c, 1u, left) - mean;
        squares += apart * apart;
    }
    partial[partial_at / 4u + 2u * s.at] = mean;
    partial[partial_at / 4u + 2u * s.at + 1u] = squares;
}

var<workgroup> shared_counts: array<f32, SIZE>;
var<workgroup> shared_a: array<vec4f, SIZE>;
var<workgroup> shared_b: array<vec4f, SIZE>;

fn part(chunk: u32, quad: u32) -> Pair {
    let i = parts_at / 4u + 2u * (chunk * quads() + quad);
    return Pair(parts[i], parts[i + 1u]);
}

// The mean, the inverse deviation, the scale and the shift of channel c.
fn put_norm(c: u32, mean: f32, variance: f32) {
    let inverse = 1.0 / sqrt(variance + p.epsilon);
    let row = 4u * quads();
    norm[norm_at + c] = mean;
    norm[norm_at + row + c] = inverse;
    norm[norm_at + 2u * row + c] = gamma[gamma_at + c] * inverse;
    norm[norm_at + 3u * row + c] = beta[beta_at + c];
}

@compute @workgroup_size(SIZE)
fn by_batch(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    var all = Moments();
    for (var k = local; k < p.chunks; k += SIZE) {
        let of_chunk = part(k, group.x);
        let count = f32(min(p.chunk, p.rows - k * p.chunk));
        all = joined(all, Moments(count, of_chunk.a, of_chunk.b));
    }
    shared_counts[local] = all.count;
    shared_a[local] = all.mean;
    shared_b[local] = all.squares;
    for (var half = SIZE / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            let other = local + half;
            all = joined(all, Moments(shared_counts[other], shared_a[other], shared_b[other]));
            shared_counts[local] = all.count;
            shared_a[local] = all.mean;
            shared_b[local] = all.squares;
        }
    }
    workgroupBarrier();
    let c = 4u * group.x + local;
    if local >= 4u || c >= p.channels { return; }
    let batch_mean = shared_a[0][local];
    let batch_variance = shared_b[0][local] / f32(p.rows);
    put_norm(c, batch_mean, batch_variance);
    let m = moving_mean_at + c;
    let v = moving_variance_at + c;
    moving_mean[m] = p.momentum * moving_mean[m] + (1.0 - p.momentum) * batch_mean;
    moving_variance[v] = p.momentum * moving_variance[v] + (1.0 - p.momentum) * batch_variance;
}

@compute @workgroup_size(SIZE)
fn by_moving(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let c = flat_index(group, groups, local);
    if c >= p.channels { return; }
    put_norm(c, mean[mean_at + c], variance[variance_at + c]);
}

@compute @workgroup_size(SIZE)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let at = place(flat_index(group, groups, local));
    if at.i >= p.rows * p.channels { return; }
    let x = load_x4(at.i, 1u, at.left);
    let y = (x - of_norm(0u, at.c)) * of_norm(2u, at.c) + of_norm(3u, at.c);
    let least = vec4f(p.floor);
    store_y4(at.i, at.left, select(y, least, y < least)); // unlike max, this lets a NaN through
}

// (x - mean) / sqrt(variance + epsilon) of four channels.
fn normalised(i: u32, c: u32) -> vec4f {
    return (load_x4(i, 1u, p.channels - c) - of_norm(0u, c)) * of_norm(1u, c);
}

@compute @workgroup_size(SIZE)
fn products(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let s = strip(flat_index(group, groups, local));
    if s.first >= p.rows { return; }
    var of_gamma = vec4f();
    var of_beta = vec4f();
    for (var r = s.first; r < s.end; r++) {
        let i = r * p.channels + s.c;
        let d = load_w4(i, p.channels - s.c);
        of_gamma += d * normalised(i, s.c);
        of_beta += d;
    }
    partial[partial_at / 4u + 2u * s.at] = of_gamma;
    partial[partial_at / 4u + 2u * s.at + 1u] = of_beta;
}

@compute @workgroup_size(SIZE)
fn total(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    var all = Pair();
    for (var k = local; k < p.chunks; k += SIZE) {
        let of_chunk = part(k, group.x);
        all = Pair(all.a + of_chunk.a, all.b + of_chunk.b);
    }
    shared_a[local] = all.a;
    shared_b[local] = all.b;
    for (var half = SIZE / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            shared_a[local] += shared_a[local + half];
            shared_b[local] += shared_b[local + half];
        }
    }
    workgroupBarrier();
    if local > 0u { return; }
    sums[sums_at / 4u + group.x] = shared_a[0];
    sums[sums_at / 4u + quads() + group.x] = shared_b[0];
}

// Sum 0 (d_gamma) or 1 (d_beta) of channel c.
fn of_totals(row: u32, c: u32) -> f32 { return totals[totals_at + row * 4u * quads() + c]; }

fn give(c: u32, row: u32) {
    if c >= p.channels { return; }
    var d = of_totals(row, c);
    if p.accumulate != 0u { d += d_param[d_param_at + c]; }
    d_param[d_param_at + c] = d;
}

@compute @workgroup_size(SIZE)
fn give_gamma(@builtin(global_invocation_id) id: vec3u) { give(id.x, 0u); }

@compute @workgroup_size(SIZE)
fn give_beta(@builtin(global_invocation_id) id: vec3u) { give(id.x, 1u); }

fn put_d_x(at: Place, d_x: vec4f) {
    var d = d_x;
    if p.accumulate != 0u { d += load_y4(at.i, at.left); }
    store_y4(at.i, at.left, d);
}

fn of_totals4(row: u32, c: u32) -> vec4f {
    return vec4f(of_totals(row, c), of_totals(row, c + 1u), of_totals(row, c + 2u), of_totals(row, c + 3u));
}

@compute @workgroup_size(SIZE)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let at = place(flat_index(group, groups, local));
    if at.i >= p.rows * p.channels { return; }
    let by_gamma = normalised(at.i, at.c) * of_totals4(0u, at.c);
    let through_statistics = (of_totals4(1u, at.c) + by_gamma) / f32(p.rows);
    put_d_x(at, of_norm(2u, at.c) * (load_w4(at.i, at.left) - through_statistics));
}

@compute @workgroup_size(SIZE)
fn backward_frozen(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let at = place(flat_index(group, groups, local));
    if at.i >= p.rows * p.channels { return; }
    put_d_x(at, of_norm(2u, at.c) * load_w4(at.i, at.left));
}
