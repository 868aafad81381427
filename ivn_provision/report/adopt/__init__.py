"""What a camera has, as the section of a site file (`ivn-provision adopt`)."""
