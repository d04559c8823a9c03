# The reference of TestDemoEqualsR: maximum likelihood by glm on the training rows
# of the demo (seed 1), with an indicator for each clinic. From this folder:
#   Rscript demo.R > demo.out
d <- read.csv("demo.csv")
d$clinic <- factor(d$clinic, levels = unique(d$clinic))
y <- d$diagnosis == "malignant"
x <- as.matrix(d[, setdiff(names(d), c("clinic", "patient", "diagnosis"))])
fit <- glm(y ~ 0 + d$clinic + x, family = binomial, control = glm.control(epsilon = 1e-15, maxit = 100))
c <- summary(fit)$coefficients
cat("# made by demo.R with", R.version.string, "\n")
cat(sprintf("%s %.17g %.17g\n", sub("^x|^d\\$clinic", "", rownames(c)), c[, 1], c[, 2]), sep = "")
cat(sprintf("deviance %.17g 0\n", deviance(fit)))
