"""Pictures as points of a plane: codes of a layer or pixels, by t-SNE, PCA or UMAP, and what such a map keeps."""
