// y = clamp(matrix * x + offset, 0, 255): brightness, contrast, saturation and hue of one image in one matrix.
// x, y (n, h, w, 3) f32, 0 to 255; matrix (n, 12) f32: a row of three factors and an offset for each channel of y.
// One invocation computes one pixel of y.
// Source: SVG Filter Effects, feColorMatrix.

struct P {
    pixels: u32, // n * h * w
    image: u32, // h * w
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> matrix: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn channel(m: u32, rgb: vec3f) -> f32 {
    let sum = dot(vec3f(matrix[m], matrix[m + 1u], matrix[m + 2u]), rgb) + matrix[m + 3u];
    return clamp(sum, 0.0, 255.0);
}

@compute @workgroup_size(SIZE)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.pixels) { return; }
    let first = x_at + 3u * i;
    let rgb = vec3f(x[first], x[first + 1u], x[first + 2u]);
    let m = matrix_at + 12u * (i / p.image);
    y[y_at + 3u * i] = channel(m, rgb);
    y[y_at + 3u * i + 1u] = channel(m + 4u, rgb);
    y[y_at + 3u * i + 2u] = channel(m + 8u, rgb);
}
