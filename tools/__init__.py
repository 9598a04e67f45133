"""What makes the files of the repository; not part of the package."""
