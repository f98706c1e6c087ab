"""What jobs share in using Ray: starting it, resources, devices, results and waiting.

- `start.py`: join a cluster or start Ray on this machine; resources of the cluster. `session.py`: its end.
- `ray_folder.py`: the room that Ray's own folder needs.
- `autoscale.py`: ask an autoscaling cluster for GPUs. `resource_flags.py`, `trial_resources.py`: CPUs and GPUs of one trial.
- `device.py`: the torch device that Ray assigned to this process.
- `ray_results.py`: results of tasks. `waiting.py`: why a task does not start yet.
- `shared_paths.py`: whether all nodes see a folder. `ticker.py`: a callable at intervals in the background.
"""
