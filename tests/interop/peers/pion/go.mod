module parley-interop/pion

go 1.19
