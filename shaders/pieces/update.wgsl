// Shared piece: what every update rule does before its own formula.
// Source of the order: Keras BaseOptimizer.apply: clip, then decay, then update.

// The gradient, each element between -limit and limit; a negative limit means no limit.
fn clipped(d_w: vec4f, limit: f32) -> vec4f {
    if (limit < 0.0) { return d_w; }
    return clamp(d_w, vec4f(-limit), vec4f(limit));
}

// Decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2).
fn decayed(w: vec4f, decay: f32, rate: f32) -> vec4f {
    return w - w * (decay * rate);
}
