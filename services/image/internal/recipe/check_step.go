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
	}
	return []fault.Field{{Message: "exactly one of resize, crop, rotate, flip, blur, sharpen, adjust, pixelate, frame and trim is needed"}}
}

func checkResize(s Resize) []fault.Field {
	c := checker{of: "resize"}
	c.within("width", s.Width, 0, MaxSide)
	c.within("height", s.Height, 0, MaxSide)
	mode := s.normal().Mode
	if !member(string(mode), modes) {
		c.fault("mode", "%s", wrongWord("mode", string(mode), modes))
		return c.fields
	}
	both := mode == Fill || mode == Pad
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
		c.fault("gravity", "gravity is for fill and pad, not for %s", mode)
	case mode == Fill && !member(string(s.Gravity), gravities("auto", "xy_center")):
		c.fault("gravity", "%s", wrongWord("gravity of fill", string(s.Gravity), gravities("auto", "xy_center")))
	case mode == Pad && !member(string(s.Gravity), compass):
		c.fault("gravity", "%s", wrongWord("gravity of pad", string(s.Gravity), compass))
	}
	if s.Background != "" && mode != Pad {
		c.fault("background", "background is for pad, not for %s", mode)
	}
	if s.Background != Blurred {
		c.color("background", s.Background)
	}
	c.point(s.Focus, s.Gravity)
	return c.fields
}

func checkCrop(s Crop) []fault.Field {
	c := checker{of: "crop"}
	c.within("width", s.Width, 1, MaxSide)
	c.within("height", s.Height, 1, MaxSide)
	c.within("x", s.X, 0, MaxOffset)
	c.within("y", s.Y, 0, MaxOffset)
	c.point(s.Focus, s.Gravity)
	if s.Gravity != "" && !member(string(s.Gravity), gravities("auto", "xy", "xy_center")) {
		c.fault("gravity", "%s", wrongWord("gravity of crop", string(s.Gravity), gravities("auto", "xy", "xy_center")))
	} else if s.Gravity != XY && (s.X != 0 || s.Y != 0) {
		c.fault("gravity", `x and y go with gravity "xy"`)
	}
	return c.fields
}
