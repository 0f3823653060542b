//! Building the image.
