package probe

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// prolog is how much of an SVG may come before its root element.
const prolog = 64 << 10

// readSVG reads up to the root element. The size that it says is found by the renderer, which knows units; an inner document type, which is
// where entities come from, is refused.
func readSVG(data []byte) (Header, error) {
	d := xml.NewDecoder(bytes.NewReader(data[:min(len(data), prolog)]))
	d.Strict = false
	d.CharsetReader = func(name string, r io.Reader) (io.Reader, error) {
		name = strings.ToLower(name)
		if name == "us-ascii" || strings.HasPrefix(name, "iso-8859-") || strings.HasPrefix(name, "windows-125") {
			return r, nil // markup is ASCII's in all of them
		}
		return nil, errors.New("an encoding in which markup could hide")
	}
	for {
		token, err := d.RawToken()
		if err != nil {
			return Header{}, broken("the SVG has no root element that can be read")
		}
		switch t := token.(type) {
		case xml.Directive:
			if bytes.ContainsAny(t, "[") || bytes.Contains(bytes.ToUpper(t), []byte("ENTITY")) {
				return Header{}, unsupported("it is an SVG drawing that defines entities")
			}
		case xml.StartElement:
			if !strings.EqualFold(t.Name.Local, "svg") {
				return Header{}, unsupported("it is an XML or HTML document")
			}
			return Header{Width: 1, Height: 1}, nil
		}
	}
}

// readPDF looks for the ends; the size and the number of pages are found by the renderer.
func readPDF(data []byte) (Header, error) {
	if !bytes.Contains(data[max(0, len(data)-2048):], []byte("%%EOF")) {
		return Header{}, broken("the PDF ends before its end marker")
	}
	return Header{Width: 1, Height: 1}, nil
}
