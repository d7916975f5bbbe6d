package upload

import (
	"cmp"
	"mime"
	"net/http"
	"net/url"
	"slices"

	"calotype/gateway/internal/media"
	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
)

// fromQuery reads the address's parameters. One that is not known is an error: a misspelt preset must not pass for none.
func fromQuery(r *http.Request, req *imagev1.CreateImageRequest) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "", "the address's parameters cannot be read")
	}
	f := fault.New(fault.Invalid, "", "the address's parameters are not right")
	for name, values := range query {
		switch name {
		case "preset":
			req.Preset = values[0]
		case "variants":
			req.Variants = values
		case "filename":
		default:
			known, wrong := option(req, name, values[0])
			if !known {
				wrong = "there is no such parameter; there are preset, variants, filename, " + optionNames
			}
			if wrong != "" {
				f.Fields = append(f.Fields, fault.Field{Path: name, Message: wrong})
				continue
			}
		}
		if name != "variants" && len(values) > 1 {
			f.Fields = append(f.Fields, fault.Field{Path: name, Message: "is given twice"})
		}
	}
	if len(f.Fields) > 0 {
		slices.SortFunc(f.Fields, func(a, b fault.Field) int { return cmp.Compare(a.Path, b.Path) })
		return f
	}
	return nil
}

// filename finds the name of a body that is the file itself: ?filename=, X-Filename (percent-encoded), or Content-Disposition.
func filename(r *http.Request) (string, error) {
	if name := r.URL.Query().Get("filename"); name != "" {
		return media.Filename(name), nil
	}
	if name := r.Header.Get("X-Filename"); name != "" {
		plain, err := url.PathUnescape(name)
		if err != nil {
			return "", wrong("X-Filename", "is not percent-encoded")
		}
		return media.Filename(plain), nil
	}
	if d := r.Header.Get("Content-Disposition"); d != "" {
		_, params, err := mime.ParseMediaType(d)
		if err != nil {
			return "", wrong("Content-Disposition", "cannot be read")
		}
		return media.Filename(params["filename"]), nil
	}
	return "", nil
}

func wrong(path, message string) error {
	f := fault.New(fault.Invalid, "", "the request is not right")
	f.Fields = []fault.Field{{Path: path, Message: message}}
	return f
}
