package imgproxy

import (
	"net/url"
	"strings"

	"calotype/gateway/internal/compat"
)

// short has the long names of the short ones.
var short = map[string]string{
	"rs": "resize", "s": "size", "rt": "resizing_type", "w": "width", "h": "height", "mw": "min-width", "mh": "min-height", "z": "zoom",
	"el": "enlarge", "ex": "extend", "exar": "extend_aspect_ratio", "extend_ar": "extend_aspect_ratio", "g": "gravity", "c": "crop",
	"t": "trim", "pd": "padding", "ar": "auto_rotate", "rot": "rotate", "fl": "flip", "bg": "background", "a": "adjust", "br": "brightness",
	"co": "contrast", "sa": "saturation", "dt": "duotone", "col": "colorize", "bl": "blur", "sh": "sharpen", "pix": "pixelate",
	"sm": "strip_metadata", "kcr": "keep_copyright", "scp": "strip_color_profile", "eth": "enforce_thumbnail", "q": "quality",
	"fq": "format_quality", "mb": "max_bytes", "f": "format", "ext": "format", "pg": "page", "pgs": "pages", "da": "disable_animation",
	"cb": "cachebuster", "exp": "expires", "fn": "filename", "att": "return_attachment", "pr": "preset", "hs": "hashsum",

	"ra": "resizing_algorithm", "op": "objects_position", "obj_pos": "objects_position", "car": "crop_aspect_ratio", "crop_ar": "crop_aspect_ratio",
	"bga": "background_alpha", "mc": "monochrome", "ush": "unsharp_masking", "bd": "blur_detections", "dd": "draw_detections", "gr": "gradient",
	"wm": "watermark", "wmu": "watermark_url", "wmt": "watermark_text", "wms": "watermark_size", "wmr": "watermark_rotate",
	"wm_rot": "watermark_rotate", "wmsh": "watermark_shadow", "st": "style", "aq": "autoquality", "jpgo": "jpeg_options",
	"pngo": "png_options", "webpo": "webp_options", "vts": "video_thumbnail_second", "vtk": "video_thumbnail_keyframes",
	"vtt": "video_thumbnail_tile", "vta": "video_thumbnail_animation", "fiu": "fallback_image_url", "skp": "skip_processing",
	"msr": "max_src_resolution", "msfs": "max_src_file_size", "maf": "max_animation_frames", "mafr": "max_animation_frame_resolution",
	"mrd": "max_result_dimension",
}

// missing has the options that Calotype does not do, or not in a way that would look the same.
var missing = []string{
	"resizing_algorithm", "objects_position", "background_alpha", "monochrome", "unsharp_masking", "blur_detections", "draw_detections",
	"watermark_shadow", "style", "dpi", "autoquality", "video_thumbnail_second", "video_thumbnail_keyframes",
	"video_thumbnail_tile", "video_thumbnail_animation", "fallback_image_url", "skip_processing", "max_src_resolution",
	"max_src_file_size", "max_animation_frames", "max_animation_frame_resolution", "max_result_dimension",
}

// reading reads an option's arguments.
type reading func(*parser, *args) error

// options has how each option is read. It is a function because presets hold options.
func options(name string) (read reading, ok bool) {
	for _, some := range []map[string]reading{geometric, pictorial, marking, encoding} {
		if read, ok = some[name]; ok {
			break
		}
	}
	if name == "preset" {
		return presets, true
	}
	return read, ok
}

// geometric are the options that have a say in sizes and places.
var geometric = map[string]reading{
	"resize":        func(p *parser, a *args) error { a.kind(p, 0); a.sides(p, 1); return nil },
	"size":          func(p *parser, a *args) error { a.sides(p, 0); return nil },
	"resizing_type": func(p *parser, a *args) error { a.kind(p, 0); return nil },
	"width":         func(p *parser, a *args) error { p.now().width = a.number(0, 0, 0, maxSide); return nil },
	"height":        func(p *parser, a *args) error { p.now().height = a.number(0, 0, 0, maxSide); return nil },
	"min-width":     func(p *parser, a *args) error { p.now().minWidth = a.number(0, 0, 0, maxSide); return nil },
	"min-height":    func(p *parser, a *args) error { p.now().minHeight = a.number(0, 0, 0, maxSide); return nil },
	"zoom": func(p *parser, a *args) error {
		p.now().zoomX = a.number(0, 1, 0.001, 1000)
		p.now().zoomY = a.number(1, p.now().zoomX, 0.001, 1000)
		return nil
	},
	"dpr":                 func(p *parser, a *args) error { p.now().dpr = a.number(0, 1, 0.001, 100); return nil },
	"enlarge":             func(p *parser, a *args) error { p.now().enlarge = a.truth(0, false); return nil },
	"extend":              func(p *parser, a *args) error { p.now().extend = a.canvas(0); return nil },
	"extend_aspect_ratio": func(p *parser, a *args) error { p.now().extendAspect = a.canvas(0); return nil },
	"gravity":             func(p *parser, a *args) error { p.now().gravity = a.gravity(0, true); return nil },
	"crop": func(p *parser, a *args) error {
		c := crop{width: a.number(0, 0, 0, 65535), height: a.number(1, 0, 0, 65535)}
		if a.at(2) != "" {
			c.at = a.gravity(2, true)
		}
		p.now().crop = &c
		return nil
	},
	"crop_aspect_ratio": func(p *parser, a *args) error {
		p.now().cropAspect, p.now().cropEnlarge = a.number(0, 0, 0, 1000), a.truth(1, false)
		return nil
	},
	"trim": func(p *parser, a *args) error {
		if a.at(1) != "" || a.truth(2, false) || a.truth(3, false) {
			return compat.Refuse("imgproxy's trim with a colour of its own, or the same on both sides,")
		}
		p.now().trim = int(a.number(0, 0, 0, 255) + 0.5)
		if a.at(0) != "" && p.now().trim == 0 {
			p.now().trim = 1 // the least there is
		}
		return nil
	},
	"padding": func(p *parser, a *args) error {
		top := a.integer(0, 0, 0, maxSide)
		right := a.integer(1, top, 0, maxSide)
		p.now().padding = []int{top, right, a.integer(2, top, 0, maxSide), a.integer(3, right, 0, maxSide)}
		return nil
	},
	"auto_rotate": func(_ *parser, a *args) error {
		if !a.truth(0, true) {
			return compat.Refuse("imgproxy's auto_rotate:0")
		}
		return nil
	},
	"rotate": func(p *parser, a *args) error {
		p.now().rotate = a.integer(0, 0, -3600, 3600)
		if p.now().rotate%90 != 0 {
			return compat.Wrong("rotate: %d is no multiple of 90", p.now().rotate)
		}
		return nil
	},
	"flip": func(p *parser, a *args) error {
		p.now().flipX, p.now().flipY = a.truth(0, false), a.truth(1, false)
		return nil
	},
}

func (a *args) kind(p *parser, i int) {
	switch a.at(i) {
	case "":
	case "fit", "fill", "fill-down", "force", "auto":
		p.now().kind = a.at(i)
	default:
		a.wrong(i, "no resizing type: fit, fill, fill-down, force, auto")
	}
}

// sides reads "width:height:enlarge:extend" from argument i on; what is left out stays as it was.
func (a *args) sides(p *parser, i int) {
	now := p.now()
	now.width, now.height = a.number(i, now.width, 0, maxSide), a.number(i+1, now.height, 0, maxSide)
	now.enlarge = a.truth(i+2, now.enlarge)
	if a.at(i+3) != "" {
		now.extend = a.canvas(i + 3)
	}
}

func (a *args) canvas(i int) canvas {
	c := canvas{on: a.truth(i, false)}
	if a.at(i+1) != "" {
		c.at = a.gravity(i+1, false)
	}
	return c
}

// pictorial are the options that have a say in colours, the format and the answer.
var pictorial = map[string]reading{
	"background": background,
	"adjust": func(p *parser, a *args) error {
		e := &p.now().effects
		e.brightness, e.contrast, e.saturation = a.number(0, 0, -255, 255), a.number(1, 1, 0, 100)-1, a.number(2, 1, 0, 100)-1
		return nil
	},
	"brightness": func(p *parser, a *args) error { p.now().effects.brightness = a.number(0, 0, -255, 255); return nil },
	"contrast":   func(p *parser, a *args) error { p.now().effects.contrast = a.number(0, 1, 0, 100) - 1; return nil },
	"saturation": func(p *parser, a *args) error { p.now().effects.saturation = a.number(0, 1, 0, 100) - 1; return nil },
	"duotone": func(p *parser, a *args) error {
		p.now().effects.duotone = share(a.number(0, 0, 0, 1))
		p.now().effects.dark, p.now().effects.light = a.color(1, "000000"), a.color(2, "ffffff")
		return nil
	},
	"colorize": func(p *parser, a *args) error {
		p.now().effects.tint, p.now().effects.ink = share(a.number(0, 0, 0, 1)), a.color(1, "000000")
		return nil
	},
	"gradient": gradient,
	"blur":     func(p *parser, a *args) error { p.now().effects.blur = a.number(0, 0, 0, 1000); return nil },
	"sharpen":  func(p *parser, a *args) error { p.now().effects.sharpen = a.number(0, 0, 0, 1000); return nil },
	"pixelate": func(p *parser, a *args) error { p.now().effects.pixelate = a.integer(0, 0, 0, 1000); return nil },

	"strip_metadata": func(p *parser, a *args) error { p.out.keepMetadata = !a.truth(0, true); return nil },
	"strip_color_profile": func(p *parser, a *args) error {
		p.out.keepProfile = !a.truth(0, true)
		p.out.profile = true
		return nil
	},
	"keep_copyright":    func(p *parser, a *args) error { p.out.keepCopyright = a.truth(0, true); return nil },
	"enforce_thumbnail": refuseTrue,
	"raw":               func(p *parser, a *args) error { p.out.raw = a.truth(0, false); return nil },
	"quality":           func(p *parser, a *args) error { p.out.quality = a.integer(0, 0, 0, 100); return nil },
	"format_quality":    formatQuality,
	"max_bytes":         func(p *parser, a *args) error { p.out.maxBytes = a.integer(0, 0, 0, 1<<30); return nil },
	"format": func(p *parser, a *args) error {
		if p.out.format = a.at(0); p.out.format == "best" {
			p.out.format = "auto"
		} else if strings.Trim(p.out.format, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			a.wrong(0, "no format")
		}
		return nil
	},
	"page": func(p *parser, a *args) error { p.out.page = a.integer(0, 0, 0, 9999) + 1; return nil },
	"pages": func(_ *parser, a *args) error {
		if a.integer(0, 1, 1, 9999) != 1 {
			return compat.Refuse("imgproxy's pages, which stacks them,")
		}
		return nil
	},
	"disable_animation": func(p *parser, a *args) error { p.out.still = a.truth(0, false); return nil },
	"cachebuster":       func(*parser, *args) error { return nil },
	"expires":           func(p *parser, a *args) error { p.out.expires = int64(a.number(0, 0, 0, 1e12)); return nil },
	"filename": func(p *parser, a *args) error {
		if p.out.filename = a.at(0); a.truth(1, false) {
			p.out.filename = a.text(0)
		} else if name, err := url.PathUnescape(p.out.filename); err == nil {
			p.out.filename = name
		}
		return nil
	},
	"return_attachment": func(p *parser, a *args) error { p.out.attachment = a.truth(0, false); return nil },
	"hashsum": func(_ *parser, a *args) error {
		if a.at(0) != "none" {
			return compat.Refuse("imgproxy's hashsum")
		}
		return nil
	},
}

func refuseTrue(_ *parser, a *args) error {
	if a.truth(0, false) {
		return compat.Refuse("imgproxy's %s:1", a.name)
	}
	return nil
}
