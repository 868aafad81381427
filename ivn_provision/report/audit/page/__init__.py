"""What the HTML page of an audit is made of, as values: the order, the picture, the trend, the waivers, the filters."""
