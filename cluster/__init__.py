"""Everything that knows Ray, MLflow or storage: it runs `facegan` on one machine or many and shows what happens."""
