"""What responses are worth, and how sure that is. Start with `scoring.score_all`; `table` lists the metrics."""
