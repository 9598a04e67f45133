"""Run the kernel: `python -m kestrel_jupyter_kernel -f CONNECTION_FILE`, as Jupyter does."""

from ipykernel.kernelapp import IPKernelApp

from kestrel.kernel.kernel import KestrelKernel

if __name__ == "__main__":
    IPKernelApp.launch_instance(kernel_class=KestrelKernel)
