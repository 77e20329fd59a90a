// probabilities = softmax(x);  y[n] = weight[n] * -(sum over j of goal[n, j] * log probabilities[n, j]), in nats.
// d_x = (probabilities * (sum over j of goal) - goal) * weight * loss_scale; the goals of one sample usually sum to 1.
// goal = label * (1 - s) + s / k, where label is one-hot of a class id, or given.
// x, probabilities, d_x (n, k); labels (n) class ids u32, or (n, k) f32 read as bits; weight, y (n).
// One workgroup computes one sample: its invocations stride over the classes, and trees in workgroup memory add up.
// Largest logit first: exp never sees a positive number.
// At most one class has a probability above 1/2. There 1 - probability is the sum of the others: a subtraction would leave
// nothing but rounding where the network is right.
// Source: Keras categorical_crossentropy(from_logits=True, label_smoothing=s); Goodfellow et al. 2016, section 6.2.2.3.

struct P {
    n: u32,
    k: u32,
    soft: u32, // 1 where labels are (n, k)
    hard_share: f32, // 1 - s
    smooth_share: f32, // s / k
    loss_scale: f32,
    accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> probabilities: array<f32>;
@group(0) @binding(5) var<storage, read> kept_probabilities: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_x: array<f32>;

fn max_over_group(local: u32, value: f32) -> f32 {
    of_group[local] = value;
    workgroupBarrier();
    for (var step = SIZE / 2u; step > 0u; step /= 2u) {
        if (local < step) { of_group[local] = max(of_group[local], of_group[local + step]); }
        workgroupBarrier();
    }
    let largest = of_group[0];
    workgroupBarrier();
    return largest;
}

// exp of x <= 0. A driver's own may be off by 2 |x| steps of its result (WGSL, section 15.7.4.1); what is left here of x
// lies within ln(2) / 2 of zero. 0.693359375 has nine bits, so that its multiples are exact.
// Source: Cody and Waite 1980, Software Manual for the Elementary Functions, chapter 6.
fn exp_of_negative(x: f32) -> f32 {
    let doublings = max(round(x * 1.442695), -126.0);
    let rest = (x - doublings * 0.693359375) + doublings * 2.1219444e-4;
    return exp(rest) * exp2(doublings);
}

fn goal(sample: u32, class_id: u32) -> f32 {
    var label = 0.0;
    if (p.soft == 1u) {
        label = bitcast<f32>(labels[labels_at + sample * p.k + class_id]);
    } else if (labels[labels_at + sample] == class_id) {
        label = 1.0;
    }
    return label * p.hard_share + p.smooth_share;
}

@compute @workgroup_size(SIZE)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let sample = group.y * groups.x + group.x;
    // Groups beyond the last sample have no classes, but they pass every barrier.
    let k = select(0u, p.k, sample < p.n);
    let row = x_at + sample * p.k;
    var largest = -3.4028234e38;
    for (var j = local; j < k; j += SIZE) { largest = max(largest, x[row + j]); }
    largest = max_over_group(local, largest);
    var sum = 0.0;
    for (var j = local; j < k; j += SIZE) { sum += exp_of_negative(x[row + j] - largest); }
    sum = sum_over_group(local, sum);
    let log_sum = log(sum);
    var loss = 0.0;
    for (var j = local; j < k; j += SIZE) {
        let logit = x[row + j] - largest;
        probabilities[probabilities_at + sample * p.k + j] = exp_of_negative(logit) / sum;
        loss += goal(sample, j) * (log_sum - logit);
    }
    loss = sum_over_group(local, loss);
    if (local == 0u && k > 0u) { y[y_at + sample] = loss * weight[weight_at + sample]; }
}

@compute @workgroup_size(SIZE)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let sample = group.y * groups.x + group.x;
    let k = select(0u, p.k, sample < p.n);
    var goals = 0.0;
    var unlikely = 0.0;
    for (var j = local; j < k; j += SIZE) {
        let probability = kept_probabilities[kept_probabilities_at + sample * p.k + j];
        goals += goal(sample, j);
        if (probability <= 0.5) { unlikely += probability; }
    }
    goals = sum_over_group(local, goals);
    unlikely = sum_over_group(local, unlikely);
    for (var j = local; j < k; j += SIZE) {
        let e = sample * p.k + j;
        let probability = kept_probabilities[kept_probabilities_at + e];
        var slope = probability * goals - goal(sample, j);
        if (probability > 0.5) { slope = (goals - goal(sample, j)) - unlikely * goals; }
        var d = slope * weight[weight_at + sample] * p.loss_scale;
        if (p.accumulate == 1u) { d += d_x[d_x_at + e]; }
        d_x[d_x_at + e] = d;
    }
}
