package blob_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

func TestDigestHasOneSpelling(t *testing.T) {
	want := blob.Digest(sha256.Sum256([]byte("calotype")))
	got, err := blob.Parse(want.String())
	if err != nil || got != want {
		t.Fatalf("Parse(%s) = %v, %v", want, got, err)
	}
	for _, s := range []string{"", "ab", want.String() + "0", strings.ToUpper(want.String()), strings.Repeat("g", 64), strings.Repeat("é", 32)} {
		if _, err := blob.Parse(s); fault.ReasonOf(err) != "BAD_DIGEST" || !fault.Is(err, fault.Invalid) {
			t.Errorf("Parse(%q) gave %v", s, err)
		}
	}
}

func TestPart(t *testing.T) {
	for _, c := range []struct {
		size   int64
		part   blob.Part
		n      int64
		verify bool
		reason string
	}{
		{size: 10, n: 10, verify: true},
		{size: 10, part: blob.Part{Length: 10}, n: 10, verify: true},
		{size: 10, part: blob.Part{Length: 99}, n: 10, verify: true},
		{size: 10, part: blob.Part{Unverified: true}, n: 10},
		{size: 10, part: blob.Part{Length: 9}, n: 9},
		{size: 10, part: blob.Part{Offset: 3}, n: 7},
		{size: 10, part: blob.Part{Offset: 3, Length: 2}, n: 2},
		{size: 10, part: blob.Part{Offset: 10}, n: 0},
		{size: 0, n: 0, verify: true},
		{size: 10, part: blob.Part{Offset: 5, Length: 1<<63 - 1}, n: 5},
		{size: 10, part: blob.Part{Offset: 11}, reason: "OUT_OF_RANGE"},
		{size: 10, part: blob.Part{Offset: -1}, reason: "OUT_OF_RANGE"},
		{size: 10, part: blob.Part{Length: -1}, reason: "OUT_OF_RANGE"},
	} {
		n, verify, err := c.part.Of(c.size)
		if n != c.n || verify != c.verify || (err != nil) != (c.reason != "") {
			t.Errorf("%+v: got %d, %v, %v", c, n, verify, err)
		}
		if err != nil && (fault.ReasonOf(err) != c.reason || !fault.Is(err, fault.Invalid)) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}

func TestWantCheck(t *testing.T) {
	one, two := blob.Digest{1}, blob.Digest{2}
	for _, c := range []struct {
		want   blob.Want
		reason string
	}{
		{blob.Want{}, ""},
		{blob.Want{Digest: one, Size: 7}, ""},
		{blob.Want{Size: 8}, "SIZE_MISMATCH"},
		{blob.Want{Digest: two}, "DIGEST_MISMATCH"},
	} {
		err := c.want.Check(one, 7)
		if (err != nil) != (c.reason != "") || (err != nil && (fault.ReasonOf(err) != c.reason || !fault.Is(err, fault.Invalid))) {
			t.Errorf("%+v: got %v", c.want, err)
		}
	}
}

func TestVerifyFailsAtTheEndOfWrongBytes(t *testing.T) {
	data := bytes.Repeat([]byte("x"), 10_000)
	good := blob.Digest(sha256.Sum256(data))
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"plain": func(r io.Reader) io.Reader { return r }, "by halves": iotest.HalfReader, "end with data": iotest.DataErrReader,
	} {
		got, err := io.ReadAll(blob.Verify(io.NopCloser(wrap(bytes.NewReader(data))), good))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: good bytes gave %v", name, err)
		}
		_, err = io.ReadAll(blob.Verify(io.NopCloser(wrap(bytes.NewReader(data[1:]))), good))
		if fault.ReasonOf(err) != "BLOB_CORRUPT" || !fault.Is(err, fault.Internal) {
			t.Errorf("%s: wrong bytes gave %v", name, err)
		}
	}
}
