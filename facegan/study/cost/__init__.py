"""What a study costs: hours, storage and dollars, before it starts and while it runs.

prices     list prices of the nodes of infra/cluster.yaml, and the share that interruptions of spot nodes cost
timing     timing.json in a trial's folder: how long its process took
rates      images/s by arm and the fixed seconds of a trial, given, from earlier trials, or scaled by GFLOP
probe      measure the images/s of a configuration on this device
schedule   how long the trials of a plan take, several at once
storage    bytes of a trial and of a study
estimate   all of it for a plan
spending   cost.json in a study's folder: what was estimated, and what was spent so far
limit      which trials still fit into --max_hours or --max_usd

Seconds are of a wall clock unless a name says otherwise. To change a price, edit `prices`; to price another node, add its row.
"""
