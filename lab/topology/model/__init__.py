"""What a topology file may say, in the file's own words."""
