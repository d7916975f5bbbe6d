package app_test

import (
	"encoding/json"
	"image"
	"strings"
	"testing"
)

// movedIn is a stage on which nothing is a double and other servers' addresses are served, with an original uploaded.
func movedIn(t *testing.T, original []byte) (id string, s *stage) {
	t.Helper()
	s = newWhole(t, withOld())
	return s.uploads(original), s
}

func (s *stage) uploads(original []byte) string {
	s.t.Helper()
	rsp, body := s.post("/v1/images", string(original))
	var up uploaded
	s.must(json.Unmarshal([]byte(body), &up))
	if rsp.StatusCode != 201 {
		s.t.Fatalf("uploading: %d %s", rsp.StatusCode, body)
	}
	return up.Image.ID
}

// decoded gets a picture.
func (s *stage) decoded(path string) image.Image {
	s.t.Helper()
	rsp, body := s.get(path)
	m, _, err := image.Decode(strings.NewReader(body))
	if rsp.StatusCode != 200 || err != nil {
		s.t.Errorf("%s: %d, %v %.300s", path, rsp.StatusCode, err, body)
		return image.NewGray(image.Rectangle{})
	}
	return m
}
