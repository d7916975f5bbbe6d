package compat

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"

	"calotype/kit/fault"
)

// Sources says which image an original's address is that other servers would fetch: addresses by what they were uploaded as.
type Sources map[string]string

// ReadSources reads a text file of lines "address image", in which the last space parts the two. Empty lines, and those that begin
// with #, are passed over.
func ReadSources(path string) (Sources, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the list of sources: %w", err)
	}
	defer f.Close()
	s := Sources{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexAny(line, " \t")
		if at < 0 || !IsImage(line[at+1:]) {
			return nil, fmt.Errorf(`%s, line %d: it is not "address image", as "https://example.com/a.jpg img_01JC..." is`, path, n)
		}
		s[strings.TrimSpace(line[:at])] = line[at+1:]
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the list of sources: %w", err)
	}
	return s, nil
}

// Find gives the image that a source is: the one that it stands for in the list, or that its last segment names.
func (s Sources) Find(source string) (image string, err error) {
	if image, ok := s[source]; ok {
		return image, nil
	}
	path, _, _ := strings.Cut(source, "?")
	if u, err := url.Parse(source); err == nil && u.Path != "" {
		path = u.Path
	}
	image, _, _ = strings.Cut(path[strings.LastIndexByte(path, '/')+1:], ".")
	if !IsImage(image) {
		return "", fault.New(fault.NotFound, "SOURCE_UNKNOWN",
			"nothing is fetched from elsewhere, and %.200q is no image of this service: its last part is no image's id, and compat.sources does not list it", source)
	}
	return image, nil
}

var imageID = regexp.MustCompile(`^img_[0-9A-Za-z]{1,60}$`)

// IsImage reports whether a text has the form of an image's identifier.
func IsImage(id string) bool { return imageID.MatchString(id) }
