package recipe

import "calotype/kit/fault"

// checkStep finds everything that is wrong with one step; paths begin with the step's kind: "resize.width";
// that of no step at all is empty.
func checkStep(s Step) []fault.Field {
	switch s := s.(type) {
	case Resize:
		return checkResize(s)
	case Crop:
		return checkCrop(s)
	case Rotate:
		c := checker{of: "rotate"}
		if s.Angle != 90 && s.Angle != 180 && s.Angle != 270 {
			c.fault("angle", "%d is not 90, 180 or 270", s.Angle)
		}
		return c.fields
	case Flip:
		c := checker{of: "flip"}
		if !s.Horizontal && !s.Vertical {
			c.fault("direction", `it is one of "horizontal", "vertical" and "both"`)
		}
		return c.fields
	case Blur:
		c := checker{of: "blur"}
		c.sigma(s.Sigma, MinBlur, MaxBlur)
		c.region(s.Region)
		return c.fields
	case Sharpen:
		c := checker{of: "sharpen"}
		c.sigma(s.Sigma, MinSharpen, MaxSharpen)
		return c.fields
	case Adjust:
		return checkAdjust(s)
	case Pixelate:
		return checkPixelate(s)
	case Frame:
		return checkFrame(s)
	case Trim:
		return checkTrim(s)
	case Gradient:
		return checkGradient(s)
	case Convolve:
		return checkConvolve(s)
	case Overlay:
		return checkOverlay(s)
	}
	return []fault.Field{{Message: "exactly one of resize, crop, rotate, flip, blur, sharpen, adjust, pixelate, frame, trim, gradient, convolve and overlay is needed"}}
}

func checkResize(s Resize) []fault.Field {
	c := checker{of: "resize"}
	c.within("width", s.Width, 0, MaxSide)
	c.within("height", s.Height, 0, MaxSide)
	mode := s.Mode
	if mode == "" {
		mode = Limit
	}
	if !member(string(mode), modes) {
		c.fault("mode", "%s", wrongWord("mode", string(mode), modes))
		return c.fields
	}
	both := mode.framed()
	switch {
	case s.Width == 0 && s.Height == 0:
		c.fault("width", "%s needs a width or a height", mode)
	case both && s.Width == 0:
		c.fault("width", "%s needs a width as well", mode)
	case both && s.Height == 0:
		c.fault("height", "%s needs a height as well", mode)
	case (both || mode == Scale) && len(c.fields) == 0 && s.Width*s.Height > MaxPixels:
		c.fault("width", "%d x %d are more than %d pixels", s.Width, s.Height, MaxPixels)
	}
	switch {
	case s.Gravity == "":
	case !both:
		c.fault("gravity", "gravity is for fill, lfill, thumb, pad and lpad, not for %s", mode)
	case !mode.Pads() && !member(string(s.Gravity), gravities(seeking...)):
		c.fault("gravity", "%s", wrongWord("gravity of "+string(mode), string(s.Gravity), gravities(seeking...)))
	case mode.Pads() && !member(string(s.Gravity), compass):
		c.fault("gravity", "%s", wrongWord("gravity of "+string(mode), string(s.Gravity), compass))
	}
	if s.Background != "" && !mode.Pads() {
		c.fault("background", "background is for pad and lpad, not for %s", mode)
	}
	if s.Background != Blurred {
		c.color("background", s.Background)
	}
	c.within("x", s.X, -MaxOffset, MaxOffset)
	c.within("y", s.Y, -MaxOffset, MaxOffset)
	if (s.X != 0 || s.Y != 0) && !offset(mode, s.Gravity) {
		c.fault("x", "x and y go with fill, lfill, thumb, pad and lpad, and with a gravity that is a place")
	}
	c.point(s.Focus, s.Gravity)
	c.boxes(s.Boxes, s.Gravity)
	return c.fields
}

func checkCrop(s Crop) []fault.Field {
	c := checker{of: "crop"}
	c.within("width", s.Width, 1, MaxSide)
	c.within("height", s.Height, 1, MaxSide)
	c.within("x", s.X, 0, MaxOffset)
	c.within("y", s.Y, 0, MaxOffset)
	c.point(s.Focus, s.Gravity)
	c.boxes(s.Boxes, s.Gravity)
	if s.Gravity != "" && !member(string(s.Gravity), gravities(cropping...)) {
		c.fault("gravity", "%s", wrongWord("gravity of crop", string(s.Gravity), gravities(cropping...)))
	} else if s.Gravity != XY && (s.X != 0 || s.Y != 0) {
		c.fault("gravity", `x and y go with gravity "xy"`)
	}
	return c.fields
}
