"""Measure a served repository: load by perf_analyzer, what Triton and the processes spent meanwhile, reports and their comparison."""
