"""A face moved by a video: one person's photo, the motion of a driving clip, and what the generator of every arm draws of them.

options     what can be chosen, and what is refused before anything is written
inputs      the driving clip, and the person's image, from a photo, a clip, a folder of frames, or rendered
crops       a face cropped as training images are
source      the person: picture, landmarks and crop
opening     opens the person, the clip and the generators of a study's arms
driving     each frame of the driving clip cropped as training images are, or the reason why it has no face
motion      the target landmarks of a frame, by absolute or relative motion
paste       puts a drawn crop back into the photo
panels      the pictures of a frame side by side, with titles and the mark of what was drawn
audio video the mp4 file: H.264, and the sound of the driving clip
frame_scores following and identity of each frame and arm
provenance  what the JSON file beside the video says of how it was made
film        the main path: from the driving clip to the video and its scores, a few frames in memory at a time
files       writes the video and what lies beside it
progress    what the console says

Needs neither Ray nor MLflow. Nothing is published: what is made lies where the user says.
"""
