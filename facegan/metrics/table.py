"""The metrics."""

METRICS: dict[str, str] = {
    "face_error": "mean absolute error inside the face, grey levels of 255; less is better",
    "landmark_error": "landmarks found again against the wanted ones, over the eye distance; found faces only; less is better",
    "landmark_auc": "area under the cumulative curve of that error up to 0.08, faces not found counted; more is better",
    "landmark_failure": "share of images with that error above 0.08 or without a face; less is better",
    "faces_found": "share of images in which the landmark judge finds a face",
    "identity_to_target": "cosine of face embeddings, image and target; more is better",
    "identity_to_source": "cosine of face embeddings, image and source",
    "ssim": "structural similarity to the target; more is better",
    "psnr": "peak signal to noise ratio against the target, dB; more is better",
    "lpips": "perceptual distance to the target (AlexNet); less is better",
    "kid": "kernel inception distance of the images and their targets as sets, unbiased, so it can be below 0; less is better",
    "identity_jitter": "1 - cosine of the face embeddings of a frame and the next; more than the real target's is flicker",
    "landmark_jitter": "change of found minus wanted landmarks from a frame to the next, over the eye distance; less is better",
    "source_likeness": "0: inside the face it is the target, 1: it is the source, above 0.5: it is closer to the source",
}
