// Shared piece: what every update rule does before its own formula.
// Source of the order: Keras BaseOptimizer.apply: clip, then decay, then update.

// The gradient, each element between -limit and limit; a negative limit means no limit.
fn clipped(d_w: Value, limit: f32) -> Value {
    if (limit < 0.0) { return d_w; }
    return clamp(d_w, Value(-limit), Value(limit));
}

// Decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2).
fn decayed(w: Value, decay: f32, rate: f32) -> Value {
    return w - w * (decay * rate);
}
