module parley-bench/pion

go 1.19
