async fn straight(pipeline: &enforce::Pipeline, call: vocab::Call) {
    let _ = pipeline.forward(call).await;
}

fn main() {}
