package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"unicode/utf8"

	"calotype/gateway/internal/flow"
	"calotype/gateway/internal/media"
	"calotype/gateway/internal/rest"
	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
	storagev1 "calotype/proto/storage/v1"
)

// maxField is the greatest form field other than the file, in bytes.
const maxField = 256 << 10

func isForm(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && t == "multipart/form-data"
}

// form takes multipart/form-data. Fields may stand before the file or after it.
func (h *Handler) form(ctx context.Context, w http.ResponseWriter, r *http.Request, req *imagev1.CreateImageRequest) (*storagev1.Blob, error) {
	if r.ContentLength > h.cfg.Limit+formRoom {
		return nil, flow.TooLarge(h.cfg.Limit)
	}
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return nil, fault.New(fault.Invalid, "BAD_FORM", "the Content-Type of the form gives no boundary")
	}
	body := flow.NewBody(w, r, h.cfg.Limit+formRoom, h.cfg.Patience)
	parts := multipart.NewReader(body, params["boundary"])
	given := map[string]bool{} // fields and parameters
	for name := range r.URL.Query() {
		given[name] = true
	}
	var blob *storagev1.Blob
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, badForm(err)
		}
		if part.FormName() != "file" {
			if name := part.FormName(); name != "variants" && given[name] {
				return nil, wrong(name, "is given twice")
			}
			given[part.FormName()] = true
			if err := field(part, req); err != nil {
				return nil, err
			}
			continue
		}
		if blob != nil {
			return nil, wrong("file", "stands twice; one file is taken at a time")
		}
		req.Filename = media.Filename(part.FileName())
		if blob, err = h.put(ctx, &limited{r: part, left: h.cfg.Limit, limit: h.cfg.Limit}, 0); err != nil {
			return nil, badForm(err)
		}
	}
	if blob == nil {
		return nil, wrong("file", "is missing")
	}
	// What follows the last boundary says nothing, but the body has to end for its deadline to, and for the connection to be used again.
	if _, err := io.Copy(io.Discard, body); err != nil {
		return nil, err
	}
	return blob, nil
}

// field reads one field other than the file into the request.
func field(part *multipart.Part, req *imagev1.CreateImageRequest) error {
	name := part.FormName()
	value, err := io.ReadAll(io.LimitReader(part, maxField+1))
	if err != nil {
		return badForm(err)
	}
	if len(value) > maxField {
		return wrong(name, fmt.Sprintf("has more than %d bytes", maxField))
	}
	if !utf8.Valid(value) {
		return wrong(name, "is not UTF-8")
	}
	switch name {
	case "preset":
		req.Preset = string(value)
	case "variants":
		req.Variants = append(req.Variants, string(value))
	case "recipe":
		req.Recipe = &imagev1.Recipe{}
		return rest.Unmarshal(value, req.Recipe, "recipe")
	default:
		known, said := option(req, name, string(value))
		if !known {
			said = "there is no such field; a form has file, preset, variants, recipe, " + optionNames
		}
		if said != "" {
			return wrong(name, said)
		}
	}
	return nil
}

// badForm leaves faults as they are; what else goes wrong is the form's own syntax.
func badForm(err error) error {
	if fault.As(err) != nil {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.Wrap(err, fault.Invalid, "BAD_FORM", "the form ends in the middle")
	}
	return fault.Wrap(err, fault.Invalid, "BAD_FORM", "the form cannot be read")
}

// limited fails past its limit, where io.LimitReader would end as if the file were whole.
type limited struct {
	r           io.Reader
	left, limit int64
}

func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, flow.TooLarge(l.limit)
	}
	return n, err
}
