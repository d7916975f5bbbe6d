package app

import (
	"strings"

	"calotype/kit/fault"
	"calotype/services/image/internal/recipe"
)

// CheckAddress finds what is wrong with what stands behind /i/: {options}/{id}.{ext}. It says what the service itself would, but for what
// only that knows: whether the image is there, and which presets.
func CheckAddress(path string) error {
	options, file := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		options, file = path[:i], path[i+1:]
	}
	id, extension, _ := strings.Cut(file, ".")
	if id == "" {
		return fault.New(fault.Invalid, "BAD_OPTIONS", "%q names no image; it is {options}/{id}.{ext}", path)
	}
	v, _, err := recipe.ParseFly(options, recipe.Fly{AnyPreset: true})
	if err == nil {
		_, _, err = v.Negotiate(extension, "", recipe.Source{})
	}
	return err
}
