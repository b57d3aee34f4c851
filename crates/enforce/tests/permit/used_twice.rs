async fn twice(pipeline: &enforce::Pipeline, permit: enforce::Permit) {
    let _ = pipeline.forward(permit).await;
    let _ = pipeline.forward(permit).await;
}

fn main() {}
