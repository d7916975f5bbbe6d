package rpc

func toInts(list []int32) (out []int) {
	for _, n := range list {
		out = append(out, int(n))
	}
	return out
}

func toInt32s(list []int) (out []int32) {
	for _, n := range list {
		out = append(out, int32(n))
	}
	return out
}
